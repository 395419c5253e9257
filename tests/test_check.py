"""`kalec check` on repositories: which notebooks and rules count, what is hidden, what it exits with."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import notebook, write_notebook

from kalecompiler import checking, commands
from kalecompiler.cli import main
from kalecompiler.globs import matches
from kalecompiler.tagged import is_tagged

GOOD = "# %% step:make\nn = 3\n# %% step:show prev:make\nprint(n)"
BAD = "# %% step:make prev:nowhere\nprint(1)"
WARNED = "# %% step:Make\nprint(1)"
UNTAGGED = "# %%\nprint(1)\n# %% parameters\nn = 1"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lay(**texts: str) -> None:
    """Write notebooks; `a__b` is the file b in the folder a."""
    for name, text in texts.items():
        path = Path(*name.split("__")).with_suffix(".ipynb")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_notebook(path, text)


def configure(text: str) -> None:
    Path("pyproject.toml").write_text(f"[tool.kalecompiler]\n{text}\n", encoding="utf-8")


def kalec(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """The exit status, stdout and stderr of `kalec check`."""
    status = main(["check", *arguments])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return status, captured.out, captured.err


def codes(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[tuple[str, str]]:
    """The findings as (path, code)."""
    rows = json.loads(kalec(capsys, "--format", "json", "--no-cache", *arguments)[1])
    return [(row["path"], row["code"]) for row in rows]


TAGGED = {
    "a step": ('{"tags": ["step:a"]}', True),
    "Kale's older step": ('{"tags":["keep","block:load"]}', True),
    "an empty step": ('{"tags": [ "step:" ]}', True),
    "a misspelt step": ('{"tags": ["Step:a"]}', True),
    "nearly a step": ('{"tags": ["stpe:a"]}', True),
    "imports alone": ('{"tags": ["imports"]}', True),
    "one text and no list": ('{"tags": "step:a"}', True),
    "metadata of Kale": ('{"metadata": {"kubeflow_notebook": {}}}', True),
    "papermill's parameters": ('{"tags": ["parameters"]}', False),
    "tags of Jupyter Book": ('{"tags": ["hide-input", "remove-cell"]}', False),
    "a settings tag of someone": ('{"tags": ["label:draft"]}', False),
    "no tags": ('{"cells": []}', False),
    "a slide to skip": ('{"slideshow": {"slide_type": "skip"}, "tags": ["skip"]}', False),
    "a tag within a text": ('{"source": "{\\"tags\\": [\\"step:a\\"]}"}', False),
    "not JSON at all": ('"tags": [', False),
    "tags without commas, and no end": ('{"tags": [' + '"a"  ' * 40, False),
    "a step in broken JSON": ('{"tags": ["step:a"], <<<<<<<', True),
}


@pytest.mark.parametrize(("text", "expected"), TAGGED.values(), ids=TAGGED)
def test_a_notebook_is_ours_by_its_tags(text: str, expected: bool) -> None:
    assert is_tagged(text.encode()) is expected
    assert is_tagged(text.encode("utf-16-le")) is expected


def test_a_folder_is_searched_and_untagged_notebooks_are_passed_over(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay(good=GOOD, deep__er__bad=BAD, plain=UNTAGGED, other=UNTAGGED)
    status, out, err = kalec(capsys, ".", "--format", "concise")
    assert status == 1
    assert out.startswith("deep/er/bad.ipynb:")
    assert err == "checked 2 notebooks, passed over 2 without tags\n"


def test_without_paths_it_is_the_current_folder_or_what_the_configuration_names(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay(good=GOOD, pipelines__bad=BAD, drafts__bad=BAD)
    assert [path for path, _ in codes(capsys)] == ["drafts/bad.ipynb", "pipelines/bad.ipynb"]
    configure('notebooks = ["pipelines", "go*.ipynb"]')
    assert [path for path, _ in codes(capsys)] == ["pipelines/bad.ipynb"]
    assert kalec(capsys)[2] == "checked 2 notebooks\n"


def test_a_notebook_named_alone_is_checked_without_tags_too(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lay(plain=UNTAGGED, good=GOOD)
    assert codes(capsys, "plain.ipynb") == [("plain.ipynb", "KC004")]
    assert codes(capsys, "plain.ipynb", "good.ipynb") == []
    assert kalec(capsys, "plain.ipynb", "--skip-untagged")[0] == 0


PATTERNS = {
    "a star stays in its folder": (["*.ipynb"], {"top"}),
    "two stars do not": (["**/*.ipynb"], {"top", "a/one", "a/b/two"}),
    "a folder by pattern": (["a*"], {"a/one", "a/b/two"}),
    "a file in two ways counts once": (["top.ipynb", ".", "./top.ipynb"], {"top", "a/one", "a/b/two"}),
}


@pytest.mark.parametrize(("paths", "expected"), PATTERNS.values(), ids=PATTERNS)
def test_patterns(here: Path, paths: list[str], expected: set[str]) -> None:
    lay(top=GOOD, a__one=GOOD, a__b__two=GOOD)
    report = commands.check([Path(path) for path in paths], {})
    found = [file.path.with_suffix("").as_posix() for file in report.files]
    assert set(found) == expected
    assert len(found) == len(expected)


def test_a_pattern_leads_into_no_folder_that_is_excluded(here: Path) -> None:
    lay(top=GOOD, venv__one=GOOD)
    assert [file.path.name for file in commands.check([Path("*")], {}).files] == ["top.ipynb"]
    assert [file.path.name for file in commands.check([Path("venv")], {}).files] == ["one.ipynb"]


def test_a_link_in_a_circle_is_passed_over(here: Path) -> None:
    lay(top=GOOD)
    Path("circle.ipynb").symlink_to("circle.ipynb")
    assert [file.path.name for file in commands.check([Path()], {}).files] == ["top.ipynb"]


SETS = {
    "one of them": ("[ab]c", "bc", True),
    "none of them": ("[!ab]", "a", False),
    "a range": ("[a-c]", "b", True),
    "a range that is none": ("[z-a]", "[z-a]", True),
    "an empty set": ("a[]", "a[]", True),
    "an empty set of others": ("[!]", "[!]", True),
    "a bracket": ("[]]", "]", True),
    "another bracket": ("[[]", "[", True),
    "none but a bracket": ("[^]]", "]", False),
    "signs of regular expressions": (r"[\&&]", "&", True),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("pattern", "path", "expected"), SETS.values(), ids=SETS)
def test_sets_of_characters(pattern: str, path: str, expected: bool) -> None:
    assert matches(path, pattern) is expected


@pytest.mark.parametrize("path", ["lost.ipynb", "*.lost", "lost/"])
def test_a_path_to_nothing_is_an_error_and_the_rest_is_checked(
    here: Path, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    lay(bad=BAD)
    status, out, err = kalec(capsys, path, "bad.ipynb")
    assert status == 2
    assert "KC112" in out
    assert "lost" in err


EXCLUDES = {
    "usual folders": ("", [], {"good", "a/b/one", "a/two"}),
    "a name": ('exclude = ["one.ipynb"]', [], {"good", "a/two", ".venv/x"}),
    "a path": ('extend-exclude = ["a/b"]', [], {"good", "a/two"}),
    "a pattern": ('extend-exclude = ["a/**/one*"]', [], {"good", "a/two"}),
    "as an option": ("", ["--extend-exclude", "a,nothing"], {"good"}),
    "the option wins": ('exclude = ["a"]', ["--exclude", "good.ipynb,.venv"], {"a/b/one", "a/two"}),
}


@pytest.mark.parametrize(("config", "options", "expected"), EXCLUDES.values(), ids=EXCLUDES)
def test_excluded(
    here: Path, capsys: pytest.CaptureFixture[str], config: str, options: list[str], expected: set[str]
) -> None:
    texts = {"good": WARNED, "a__b__one": WARNED, "a__two": WARNED, ".venv__x": WARNED}
    lay(**texts)
    configure(config)
    found = {path.removesuffix(".ipynb") for path, _ in codes(capsys, *options)}
    assert found == expected


def test_what_is_named_is_checked_though_excluded_unless_forced(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lay(old__bad=BAD, good=GOOD)
    configure('exclude = ["old"]')
    assert codes(capsys, "old/bad.ipynb") == [("old/bad.ipynb", "KC112")]
    assert codes(capsys, "old/bad.ipynb", "good.ipynb", "--force-exclude") == []
    assert codes(capsys, "old", "--force-exclude") == []


SELECTED = {
    "all by default": ("", [], {"KC112", "KC117"}),
    "select": ('select = ["KC117"]', [], {"KC117"}),
    "a prefix": ('select = ["KC11"]\nignore = ["KC112"]', [], {"KC117"}),
    "the longer prefix wins": ('select = ["KC112"]\nignore = ["KC1"]', [], {"KC112"}),
    "ignore": ('ignore = ["KC1"]', [], set()),
    "the option replaces the key": ('ignore = ["KC1"]', ["--ignore", "KC2"], {"KC112", "KC117"}),
    "small letters": ("", ["--select", "kc117,kc2"], {"KC117"}),
    "for some files": ('per-file-ignores = {"*.ipynb" = ["KC112"]}', [], {"KC117"}),
    "for other files": ('per-file-ignores = {"old/*" = ["KC112"]}', [], {"KC112", "KC117"}),
    "for some files, as an option": ("", ["--per-file-ignores", "both.ipynb:KC112,KC117"], set()),
}


@pytest.mark.parametrize(("config", "options", "expected"), SELECTED.values(), ids=SELECTED)
def test_selected(
    here: Path, capsys: pytest.CaptureFixture[str], config: str, options: list[str], expected: set[str]
) -> None:
    lay(both="# %% step:Make prev:nowhere\nprint(1)")
    configure(config)
    assert {code for _, code in codes(capsys, *options)} == expected


def test_rules_that_are_off_are_selected_by_code_or_with_all(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lay(old="# %% block:make\nprint(1)")
    assert codes(capsys, "old.ipynb") == []
    assert ("old.ipynb", "KC612") in codes(capsys, "old.ipynb", "--extend-select", "KC612")
    assert ("old.ipynb", "KC612") in codes(capsys, "old.ipynb", "--select", "ALL")


def test_the_nearest_configuration_counts_for_each_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lay(bad=BAD, sub__bad=BAD)
    configure('ignore = ["KC112"]')
    Path("sub/pyproject.toml").write_text('[tool.kalecompiler]\nselect = ["KC112"]\n')
    assert codes(capsys) == [("sub/bad.ipynb", "KC112")]


WRONG = {
    "an unknown key": ('selct = ["KC1"]', [], "the key `selct` is unknown; did you mean `select`?"),
    "an unknown code": ('ignore = ["KC0001"]', [], "`ignore`: there is no rule `KC0001`; did you mean `KC001`?"),
    "a rule's name": ('select = ["unknown-step"]', [], "write `KC112`"),
    "an unknown code in an option": ("", ["--select", "KX1"], "--select: there is no rule `KX1`"),
    "no list": ('select = "KC1"', [], "`select` must be a list of texts"),
    "no table": ('per-file-ignores = ["KC1"]', [], "`per-file-ignores` must be a table of patterns"),
    "an unknown code for a file": ('per-file-ignores = {"a" = ["X"]}', [], "`a`: there is no rule `X`"),
    "no pattern": ("", ["--per-file-ignores", "KC1"], "is not a pattern and codes"),
    "broken TOML": ("=", [], "is not valid TOML"),
    "a name for nothing": ("", ["--stdin-filename", "a.ipynb"], "`-` is not among the paths"),
    "no baseline to update": ("", ["--update-baseline"], "needs a file"),
    "a baseline that is not there": ("", ["--baseline", "lost.json"], "the baseline lost.json does not exist"),
}


@pytest.mark.parametrize(("config", "options", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_configuration_is_said_once(
    here: Path, capsys: pytest.CaptureFixture[str], config: str, options: list[str], said: str
) -> None:
    lay(one=GOOD, two=GOOD, three=GOOD)
    configure(config)
    status, out, err = kalec(capsys, *options)
    assert status == 2
    assert said in err
    assert err.count(said) == 1
    assert out == ""


HIDDEN = {
    "a line": ("# %% step:a\n%lost  # noqa", 0),
    "a line, by code": ("# %% step:a\n%lost  # NOQA:KC302", 0),
    "a line, by prefix": ("# %% step:a\n%lost  # noqa: E501, KC3", 0),
    "another code": ("# %% step:a\n%lost  # noqa: KC303", 1),
    "a code of another tool": ("# %% step:a\n%lost  # noqa: E501", 1),
    "another line": ("# %% step:a\nprint(1)  # noqa\n%lost", 1),
    "a cell": ("# %% step:a noqa\n%lost", 0),
    "a cell, by code": ("# %% step:a noqa:KC302\n%lost", 0),
    "a cell, by another code": ("# %% step:a noqa:KC303\n%lost", 1),
    "a tag": ("# %% step:a prev:lost noqa:KC112\nprint(1)", 0),
    "a line that a long string ends": ('# %% step:a\nx = f"""\n{lost}\n"""  # noqa: KC201\nprint(x)', 0),
}


@pytest.mark.parametrize(("text", "status"), HIDDEN.values(), ids=HIDDEN)
def test_noqa(here: Path, capsys: pytest.CaptureFixture[str], text: str, status: int) -> None:
    lay(one=text)
    assert kalec(capsys, "one.ipynb")[0] == status
    assert main(["compile", "one.ipynb"]) == 1, "what is hidden is still an error"


def test_that_errors_are_hidden_is_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lay(one=BAD)
    _, out, err = kalec(capsys, "one.ipynb", "--ignore", "KC1")
    assert out == ""
    assert "1 error hidden by `noqa` or the selection of rules: `compile` still refuses" in err


EXITS = {
    "nothing": ("good", [], 0),
    "a warning": ("warned", [], 0),
    "a warning, strictly": ("warned", ["--strict"], 1),
    "an error": ("bad", [], 1),
    "an error, with exit-zero": ("bad", ["--exit-zero"], 0),
    "a lost file, with exit-zero": ("lost", ["--exit-zero"], 2),
}


@pytest.mark.parametrize(("name", "options", "expected"), EXITS.values(), ids=EXITS)
def test_exit_status(
    here: Path, capsys: pytest.CaptureFixture[str], name: str, options: list[str], expected: int
) -> None:
    lay(good=GOOD, warned=WARNED, bad=BAD)
    assert kalec(capsys, f"{name}.ipynb", *options)[0] == expected


def test_a_bug_in_one_notebook_is_told_and_the_others_are_checked(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(good=GOOD, bad=BAD)
    real = checking.examine

    def broken(path: Path, *rest: object) -> object:
        if path.name == "good.ipynb":
            raise ZeroDivisionError("a bug")
        return real(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(checking, "examine", broken)
    status, out, err = kalec(capsys, ".", "--no-cache")
    assert status == 70
    assert "KC112" in out
    assert "good.ipynb: this is a bug of kalecompiler: ZeroDivisionError: a bug" in err


def stdin(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    data = json.dumps(notebook(text)).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_stdin(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, BAD)
    status, out, _ = kalec(capsys, "-", "--stdin-filename", "sub/n.ipynb", "--format", "concise")
    assert status == 1
    assert out.startswith("sub/n.ipynb:1:")
    stdin(monkeypatch, GOOD)
    assert kalec(capsys, "-")[0] == 0


def test_stdin_is_checked_under_the_rules_for_its_name(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure('per-file-ignores = {"old/*" = ["KC112"]}')
    stdin(monkeypatch, BAD)
    assert kalec(capsys, "-", "--stdin-filename", "old/n.ipynb")[0] == 0


def test_stdin_that_is_closed(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    status, _, err = kalec(capsys, "-")
    assert (status, "there is no stdin to read: name the notebook" in err) == (2, True)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"{", b"[]", b'{"tags": ["step:a"]}'])
def test_stdin_that_is_no_notebook(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    status, out, _ = kalec(capsys, "-", "--format", "concise")
    assert status == 1 or not out


def test_several_processes_find_the_same(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(12):
        write_notebook(here / f"n{number}.ipynb", [GOOD, BAD, WARNED][number % 3])
    one = kalec(capsys, "--jobs", "1", "--no-cache")
    assert one == kalec(capsys, "--jobs", "3", "--no-cache")
    assert one[2] == "checked 12 notebooks\n"


def test_a_report_in_a_file_is_said_in_short_too(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lay(bad=BAD)
    status, out, err = kalec(capsys, "bad.ipynb", "--format", "sarif", "-o", "out.sarif")
    assert (status, out) == (1, "")
    assert json.loads(Path("out.sarif").read_text())["version"] == "2.1.0"
    assert err.startswith("bad.ipynb:9:")
    assert kalec(capsys, "bad.ipynb", "--format", "sarif", "-o", "out.sarif", "-q")[2] == ""
    assert kalec(capsys, "bad.ipynb", "-o", "no/such/out.txt")[0] == 2


def test_the_format_fits_the_ci_system(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(bad=BAD)
    with monkeypatch.context() as patch:
        patch.setenv("GITHUB_ACTIONS", "true")
        patch.setenv("GITHUB_WORKSPACE", str(here.parent))
        assert f"file={here.name}/bad.ipynb,line=9," in kalec(capsys, "bad.ipynb")[1]
        assert kalec(capsys, "bad.ipynb", "--format", "concise")[1].startswith("bad.ipynb:9:")
    monkeypatch.setenv("GITLAB_CI", "true")
    assert json.loads(kalec(capsys, "bad.ipynb")[1])[0]["location"]["lines"]["begin"] == 9


def test_what_github_does_not_show_goes_into_the_summary_of_the_job(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(many="# %% step:a\n" + "\n".join(f"print(lost{n})" for n in range(14)))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(here / "summary.md"))
    Path("summary.md").write_text("before\n")
    kalec(capsys, "many.ipynb")
    text = Path("summary.md").read_text()
    assert text.startswith("before\n### kalec check: 4 more of 14 findings")
    assert "`lost13`" in text


def test_quiet_and_statistics(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lay(bad=BAD, worse=BAD, warned=WARNED)
    assert kalec(capsys, "--quiet")[2] == ""
    assert kalec(capsys, "--statistics")[1] == (
        "2  KC112  error    unknown-step\n1  KC117  warning  rewritten-step-name\n"
    )


def test_a_baseline_lets_an_old_repository_start_green(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lay(old=BAD, older=WARNED)
    assert kalec(capsys, "--baseline", "known.json", "--update-baseline")[0] == 0
    status, out, err = kalec(capsys, "--baseline", "known.json", "--strict")
    assert (status, out) == (0, "")
    assert "2 findings known from the baseline" in err
    lay(old=f"# %% [markdown]\n# A title\n\n{BAD}", new=BAD)
    status, out, _ = kalec(capsys, "--baseline", "known.json", "--format", "concise")
    assert status == 1
    assert [line.split(":")[0] for line in out.splitlines()] == ["new.ipynb"]
    lay(old=f"{BAD}\n# %% step:b prev:elsewhere\nprint(1)")
    (line,) = kalec(capsys, "old.ipynb", "--baseline", "known.json", "--format", "concise")[1].splitlines()
    assert "elsewhere" in line


def test_what_is_gone_from_a_baseline_is_said_and_forgotten_on_update(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(sub__old=BAD, other=BAD)
    configure('baseline = "known.json"')
    kalec(capsys, "--update-baseline")
    lay(sub__old=GOOD)
    assert "1 finding of" in kalec(capsys)[2]
    monkeypatch.chdir(here / "sub")  # its paths start at its folder
    assert kalec(capsys, "../other.ipynb")[0] == 0
    assert kalec(capsys, "old.ipynb", "--update-baseline")[0] == 0
    assert list(json.loads((here / "known.json").read_text())["notebooks"]) == ["other.ipynb"]


def test_a_baseline_keeps_what_was_not_looked_for(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def known() -> list[str]:
        notebooks = json.loads(Path("known.json").read_text())["notebooks"]
        return sorted(text.split()[0] for own in notebooks.values() for text in own.values())

    lay(old=f"{BAD}\n# %% step:Other\nprint(1)")
    call = ("--baseline", "known.json")
    kalec(capsys, *call, "--update-baseline")
    assert known() == ["KC112", "KC117"]
    for _ in range(2):  # the second time out of the cache
        assert "gone" not in kalec(capsys, *call, "--select", "KC112")[2]
    assert kalec(capsys, *call, "--select", "KC112", "--update-baseline")[0] == 0
    assert known() == ["KC112", "KC117"]
    assert kalec(capsys, *call, "--strict")[0] == 0
    lay(old=GOOD)
    assert "1 finding of known.json are gone" in kalec(capsys, *call, "--ignore", "KC117")[2]
    kalec(capsys, *call, "--ignore", "KC117", "--update-baseline")
    assert known() == ["KC117"]
    lay(old=UNTAGGED)  # none of our notebooks any more
    kalec(capsys, ".", *call, "--select", "KC112", "--update-baseline")
    assert known() == []


@pytest.mark.parametrize("content", ["", "[]", '{"version": 2}', '{"version": 1, "notebooks": {"a": 1}}', "[" * 9999])
def test_a_baseline_that_is_none(here: Path, capsys: pytest.CaptureFixture[str], content: str) -> None:
    lay(bad=BAD)
    Path("known.json").write_text(content)
    status, _, err = kalec(capsys, "--baseline", "known.json")
    assert status == 2
    assert "remove it, and write it anew with `--update-baseline`" in err
    assert (kalec(capsys, "--baseline", "known.json", "--update-baseline")[0], Path("known.json").read_text()) == (
        2,
        content,  # it may be another file, named by mistake
    )


def test_a_check_imports_no_kfp_no_jupyter_and_nothing_of_the_network(here: Path) -> None:
    lay(bad=BAD, good=GOOD, plain=UNTAGGED)
    program = (
        "import sys; from kalecompiler.cli import main; status = main(['check', '.', '--format', 'sarif', '-q']); "
        "print(status, sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False)
    assert done.stderr.startswith("1 [")
    heavy = "kfp nbformat IPython jinja2 rich jupyter_client ipykernel requests urllib3 http jsonschema pandas numpy"
    assert not [name for name in heavy.split() if f"'{name}'" in done.stderr]
