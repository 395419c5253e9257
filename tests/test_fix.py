"""`kalec check --fix` and `--diff`: what has one right answer is mended, and not a byte beside it is touched."""

from __future__ import annotations

import difflib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import notebook, write_notebook

from kalecompiler import fixing, plan
from kalecompiler.cli import main
from kalecompiler.diagnostics import Severity
from kalecompiler.fixing import Fixed

ROOT = Path(__file__).parent.parent

CHAIN = "# %% step:load\nrows = [1]\n# %% step:check prev:load\nprint(rows)\n"
# a notebook, and the tags of its cells when it is mended
MENDED: dict[str, tuple[str, list[str]]] = {
    "a missing prev": (
        CHAIN + "# %% step:train\nm = sum(rows)\n# %% step:show prev:train\nprint(m)",
        ["step:load", "step:check prev:load", "step:train prev:load", "step:show prev:train"],
    ),
    "a missing prev beside another": (
        CHAIN + "# %% step:train prev:check\nm = 1\n# %% step:other prev:check\nprint(m)",
        ["step:load", "step:check prev:load", "step:train prev:check", "step:other prev:check prev:train"],
    ),
    "one that another makes needless": (
        CHAIN + "# %% step:train\nm = sum(rows)\n# %% step:show prev:train\nprint(m, rows)",
        ["step:load", "step:check prev:load", "step:train prev:load", "step:show prev:train"],
    ),
    "on the cell that says what runs before": (
        CHAIN + "# %% step:train prev:load\nm = 1\n# %% step:show\nx = 1\n# %% step:show prev:check\nprint(m)",
        ["step:load", "step:check prev:load", "step:train prev:load", "step:show", "step:show prev:check prev:train"],
    ),
    "what mending one brings to light": (
        "# %% step:a\nx = 1\n# %% step:b\ny = x\n# %% step:c prev:a\nprint(x)\n# %% step:d prev:c\nprint(y)",
        ["step:a", "step:b prev:a", "step:c prev:a", "step:d prev:c prev:b"],
    ),
    "misspelt tags": (
        "# %% Step:load\nrows = [1]\n# %% steps:check Prev:load\nprint(rows)\n# %% PARAMETERS\nx = 1",
        ["step:load", "step:check prev:load", "parameters"],
    ),
    "a malformed prev": (
        '# %% step:a\nx = 1\n# %% step:b\ny = 1\n# %% ["step:c", "prev:a, b"]\nprint(x, y)',
        ["step:a", "step:b", "step:c prev:a:b"],
    ),
    "Kale's early spellings": (
        "# %% block:imports\nimport os\n# %% block:load\nrows = [1]\n# %% block:\nprint(rows)\n# %% block:functions\n",
        ["imports", "step:load", "step:", "functions"],
    ),
    "two slips in one tag": ("# %% Block:load\nprint(1)", ["step:load"]),
    "a step called as KFP calls it": (
        "# %% step:load_data\nx = 1\n# %% step:show prev:load-data\nprint(x)",
        ["step:load_data", "step:show prev:load_data"],
    ),
    "spelling first, then what is missing": (
        "# %% Step:load\nrows = [1]\n# %% step:check prev:load\nprint(1)\n"
        "# %% step:train\nm = rows\n# %% step:s prev:train\n1",
        ["step:load", "step:check prev:load", "step:train prev:load", "step:s prev:train"],
    ),
}
# notebooks in which nothing has one right answer
LEFT = {
    "nothing wrong": CHAIN,
    "an unknown step": "# %% step:a\nx = 1\n# %% step:b prev:c\nprint(x)",
    "perhaps a tag of ours": "# %% step:a\nx = 1\n# %% stpe:b\nprint(x)",
    "a malformed setting": "# %% step:a limit:cpu\nx = 1",
    "papermill's tag": "# %% parameters\nx = 1\n# %% step:a\nprint(x)",
    "an order that would be a circle": "# %% step:a prev:b\nx = 1\n# %% step:b\nprint(x)",
    "a name that nothing defines": "# %% step:a\nprint(x)",
    "two writers": "# %% step:a\nx = 1\n# %% step:b\nx = 2\n# %% step:c prev:a prev:b\nprint(x)",
    "broken code": "# %% step:a\nx = (",
    "tags on a text cell": "# %% [markdown] Step:a\nwords\n# %% step:b\nx = 1",
}
# how a file may be written: arguments of json.dumps, and its line ends
STYLES: dict[str, tuple[dict[str, Any], str]] = {
    "as Jupyter writes it": ({"indent": 1, "ensure_ascii": False, "sort_keys": True}, "\n"),
    "indented by two, escaped": ({"indent": 2}, "\n"),
    "tabs": ({"indent": "\t", "ensure_ascii": False}, "\n"),
    "CRLF": ({"indent": 1, "ensure_ascii": False}, "\r\n"),
    "in one line": ({"ensure_ascii": False}, "\n"),
    "in one line without blanks": ({"separators": (",", ":")}, "\n"),
}


def dumped(document: Any, style: str, end: str = "\n") -> bytes:
    options, newline = STYLES[style]
    return (json.dumps(document, **options) + end).replace("\n", newline).encode()


def tags(data: bytes) -> list[str]:
    return [" ".join(cell["metadata"].get("tags", [])) for cell in json.loads(data)["cells"]]


def mend(data: bytes, path: Path = Path("n.ipynb")) -> Fixed:
    return fixing.fix(path, data, {})


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("text", "expected"), MENDED.values(), ids=MENDED)
def test_what_is_mended(text: str, expected: list[str], style: str) -> None:
    document = notebook(text + "\n# %% [markdown]\n# Größe \u2028 \u00e9")
    data = dumped(document, style)
    fixed = mend(data)
    assert tags(fixed.after)[:-1] == expected
    for cell, own in zip(document["cells"], [*expected, ""], strict=True):
        if own:
            cell["metadata"]["tags"] = own.split()
    assert fixed.after == dumped(document, style), "it is what a dump of the mended notebook would be"
    assert not mend(fixed.after).changed


@pytest.mark.parametrize("text", LEFT.values(), ids=LEFT)
def test_what_is_left_alone(text: str) -> None:
    fixed = mend(dumped(notebook(text), "CRLF"))
    assert fixed.after == fixed.before
    assert fixed.repairs == ()
    assert fixed.diff() == ""


@pytest.mark.parametrize(("text", "expected"), MENDED.values(), ids=MENDED)
def test_the_diff_touches_only_lines_of_tags_and_makes_the_mended_file(text: str, expected: list[str]) -> None:
    data = dumped(notebook(text), "as Jupyter writes it", end="")
    fixed = mend(data, Path("n.ipynb"))
    if not fixed.changed:
        return
    changed = [line for line in fixed.diff().splitlines() if re.match(r"[+-](?![+-])", line)]
    said = {word for repair in fixed.repairs for word in (repair.edit.old, repair.edit.new)}
    for line in changed:
        tag = line[1:].strip().strip(",").strip('"')
        assert tag in said or any(line[1:].rstrip(",") == other[1:].rstrip(",") for other in changed if other != line)
    Path("n.ipynb").write_bytes(data)
    subprocess.run(["patch", "-p1", "-s"], input=fixed.diff().encode(), check=True)
    assert Path("n.ipynb").read_bytes() == fixed.after


def test_only_what_was_wanted_is_mended() -> None:
    data = dumped(notebook("# %% Step:a\nx = 1\n# %% block:b\ny = 2"), "as Jupyter writes it")
    fixed = fixing.fix(Path("n.ipynb"), data, {}, frozenset({("KC103", 1, "Step:a")}))
    assert tags(fixed.after) == ["step:a", "block:b"]


def test_check_fix_writes_and_says_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    path = write_notebook(
        Path("n.ipynb"), CHAIN + "# %% block:train\nm = sum(rows)\n# %% step:show prev:train\nprint(m)"
    )
    assert main(["check", "n.ipynb"]) == 1
    capsys.readouterr()
    assert main(["check", "--fix", "n.ipynb"]) == 0
    error = capsys.readouterr().err
    assert "n.ipynb:cell 3: `block:train` is now `step:train` [KC612]" in error
    assert "n.ipynb:cell 3: added `prev:load` [KC202]" in error
    before = path.read_bytes()
    assert main(["check", "--fix", "n.ipynb"]) == 0
    assert "cell 3" not in capsys.readouterr().err
    assert path.read_bytes() == before
    assert main(["compile", "n.ipynb"]) == 0


def test_diff_shows_and_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    path = write_notebook(Path("n.ipynb"), "# %% Step:a\nprint(1)")
    before = path.read_bytes()
    assert main(["check", "--diff", "n.ipynb"]) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("--- a/n.ipynb\n+++ b/n.ipynb\n@@")
    assert '-     "Step:a"\n+     "step:a"\n' in shown
    assert path.read_bytes() == before
    assert main(["check", "--fix", "n.ipynb"]) == 0
    assert main(["check", "--diff", "n.ipynb"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ["step:a", "step:b"]),
        (["--ignore", "KC612"], ["step:a", "block:b"]),
        (["--ignore", "KC103"], ["Step:a", "step:b"]),
        (["--select", "KC103"], ["step:a", "block:b"]),
        (["--select", "KC2"], ["Step:a", "block:b"]),
    ],
    ids=["all", "not the old tags", "not the spelling", "only the spelling", "neither"],
)
def test_rules_that_do_not_count_are_not_mended(options: list[str], expected: list[str]) -> None:
    path = write_notebook(Path("n.ipynb"), "# %% Step:a\nprint(1)\n# %% block:b\nprint(2)")
    main(["check", "--fix", *options, "n.ipynb"])
    assert tags(path.read_bytes()) == expected


def test_what_noqa_hides_is_not_mended() -> None:
    path = write_notebook(Path("n.ipynb"), "# %% noqa Step:a\nprint(1)\n# %% Step:b\nprint(2)")
    main(["check", "--fix", "n.ipynb"])
    assert tags(path.read_bytes()) == ["noqa Step:a", "step:b"]


def test_stdin_cannot_be_mended(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import io
    import sys

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(dumped(notebook(CHAIN), "in one line"))))
    assert main(["check", "--fix", "-"]) == 2
    assert "what comes from stdin cannot be mended" in capsys.readouterr().err


def test_an_old_format_is_said_and_the_others_are_mended(capsys: pytest.CaptureFixture[str]) -> None:
    cell = {
        "cell_type": "code",
        "input": "x = 1",
        "language": "python",
        "outputs": [],
        "metadata": {"tags": ["Step:a"]},
    }
    old = {
        "metadata": {"name": ""},
        "nbformat": 3,
        "nbformat_minor": 0,
        "worksheets": [{"cells": [cell], "metadata": {}}],
    }
    Path("old.ipynb").write_text(json.dumps(old))
    new = write_notebook(Path("new.ipynb"), "# %% Step:a\nprint(1)")
    assert main(["check", "--fix", "old.ipynb", "new.ipynb"]) == 1
    assert "old.ipynb is in an old format" in capsys.readouterr().err
    assert tags(new.read_bytes()) == ["step:a"]


def test_a_file_that_changed_meanwhile_is_not_written() -> None:
    path = write_notebook(Path("n.ipynb"), "# %% Step:a\nprint(1)")
    fixed = mend(path.read_bytes(), path)
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(Exception, match="has changed in the meantime"):
        fixing.write(fixed)


def errors(path: Path, data: bytes) -> list[str]:
    planned = plan.complete(plan.analyse(path, {}, data))
    return [d.rule.code for d in planned.diagnostics if d.severity is Severity.ERROR]


@pytest.mark.parametrize("folder", ["original", "runnable"])
def test_real_notebooks_stay_what_they_are_but_for_their_tags(shared: Path, folder: str) -> None:
    for path in sorted((shared / "notebooks" / folder).glob("*.ipynb")):
        data = path.read_bytes()
        fixed = fixing.fix(path, data, {})
        assert len(errors(path, fixed.after)) <= len(errors(path, data)), path.name
        before, after = data.decode().splitlines(), fixed.after.decode().splitlines()
        for line in difflib.ndiff(before, after) if fixed.changed else ():
            assert line[:1] in " ?" or re.fullmatch(r'[+-]\s+(\]|"tags": \[|"[^"]+"),?', line), line
        assert not fixing.fix(path, fixed.after, {}).changed
        old, new = json.loads(data), json.loads(fixed.after)
        for cell in [*old["cells"], *new["cells"]]:
            cell["metadata"].pop("tags", None)
        assert old == new


NAMES = st.sampled_from(["a", "b", "c", "d"])
TAGS = st.one_of(
    NAMES.map("step:{}".format),
    NAMES.map("block:{}".format),
    NAMES.map("Step:{}".format),
    NAMES.map("prev:{}".format),
    st.tuples(NAMES, NAMES).map(lambda pair: f"prev:{pair[0]},{pair[1]}"),
    st.sampled_from(["imports", "block:imports", "skip", "hide", "block:", "prev:", "step", "ümlaut"]),
)
CELLS = st.tuples(
    st.lists(TAGS, max_size=3),
    st.sampled_from(["x = 1", "y = x", "print(x, y)", "z = [x]", "z.append(y)", "def f(): return y"]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=st.lists(CELLS, min_size=1, max_size=6), style=st.sampled_from(sorted(STYLES)))
def test_mending_twice_is_mending_once_and_only_tags_change(cells: list[tuple[list[str], str]], style: str) -> None:
    text = "\n".join(f"# %% {json.dumps(own)}\n{code}" for own, code in cells)
    data = dumped(notebook(text), style)
    fixed = mend(data)
    assert not mend(fixed.after).changed
    document = json.loads(data)
    for cell, new in zip(document["cells"], json.loads(fixed.after)["cells"], strict=True):
        if "tags" in new["metadata"]:
            cell["metadata"]["tags"] = new["metadata"]["tags"]
    assert fixed.after == dumped(document, style)
