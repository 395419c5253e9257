"""`kalec compile --check`: committed packages are what their notebooks compile to, or it says why not."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from support import write_notebook

from kalecompiler import packagecheck
from kalecompiler.cli import main

TEXT = "# %% step:make\nnumbers = [1, 2, 3]\n# %% step:total prev:make\nprint(sum(numbers))"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a notebook and its package."""
    monkeypatch.chdir(tmp_path)
    write_notebook(tmp_path / "n.ipynb", TEXT)
    assert main(["compile", "n.ipynb"]) == 0
    return tmp_path


def replaced(pattern: str, new: str) -> Callable[[str], str]:
    return lambda text: re.sub(pattern, new, text)


# how the package was changed, and what is said of that
DRIFT: dict[str, tuple[Callable[[str], str], str]] = {
    "another kfp": (
        replaced(r"sdkVersion: kfp-\S+", "sdkVersion: kfp-2.15.0"),
        "the notebook is the same, but kfp was 2.15.0",
    ),
    "another kalecompiler": (
        replaced(r"by kalecompiler \S+", "by kalecompiler 0.0.1"),
        "the notebook is the same, but kalecompiler was 0.0.1 and is",
    ),
    "another kalecompiler, with another runtime": (
        lambda text: replaced(r"by kalecompiler \S+", "by kalecompiler 0.0.1")(text).replace(
            "speaks the exec", "spoke the exec"
        ),
        "the notebook is the same, but kalecompiler was 0.0.1",
    ),
    "another kfp and another notebook": (
        lambda text: replaced(r"sdkVersion: kfp-\S+", "sdkVersion: kfp-2.15.0")(text).replace("[1, 2, 3]", "[1, 2]"),
        "have changed since, and kfp was 2.15.0",
    ),
    "another notebook": (
        replaced(r"\[1, 2, 3\]", "[1, 2]"),
        "the notebook, its settings or the modules beside it have changed",
    ),
    "another image": (
        replaced("python:3.11", "python:3.12"),
        "the notebook, its settings or the modules beside it have changed",
    ),
    "another's file": (lambda text: "kind: Workflow\n", "it was not written by kalecompiler, or was changed since"),
    "no YAML": (
        lambda text: text.replace("0.1.0", "0.0.1").replace("components:", "components: ["),
        "have changed since",
    ),
    "no newline at its end": (lambda text: text.rstrip("\n"), "or the package has"),
}


@pytest.mark.parametrize(("change", "said"), DRIFT.values(), ids=DRIFT)
def test_why_a_package_is_not_current(
    here: Path, change: Callable[[str], str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    package = here / "n.yaml"
    old = package.read_text()
    package.write_text(change(old))
    assert package.read_text() != old
    capsys.readouterr()
    assert main(["compile", "--check", "."]) == 1
    shown = capsys.readouterr()
    assert re.search(f"n.yaml is not what (./)?n.ipynb compiles to: (.*, |.* )?{re.escape(said)}", shown.err)
    assert shown.out.startswith("--- a/n.yaml\n+++ b/n.yaml\n@@ ")
    assert max(map(len, shown.out.splitlines())) < 300, "the runtime's lines are cut"
    assert package.read_text() == change(old), "nothing is written"


def test_a_current_package(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["."], ["n.ipynb"], ["*.ipynb"]):
        assert main(["compile", "--check", *arguments]) == 0
        shown = capsys.readouterr()
        assert shown.out == ""
        assert "1 package current, 0 not" in shown.err


def test_windows_line_ends_are_no_drift(here: Path) -> None:
    package = here / "n.yaml"
    package.write_bytes(package.read_bytes().replace(b"\n", b"\r\n"))
    assert main(["compile", "--check"]) == 0


def test_the_notebook_has_changed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_notebook(here / "n.ipynb", TEXT.replace("[1, 2, 3]", "[1, 2, 3, 4]"))
    assert main(["compile", "--check"]) == 1
    shown = capsys.readouterr()
    assert '-              "numbers = [1, 2, 3]"\n+              "numbers = [1, 2, 3, 4]"\n' in shown.out
    assert main(["compile", "n.ipynb"]) == 0
    assert main(["compile", "--check"]) == 0


def test_a_notebook_that_does_not_compile(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_notebook(here / "n.ipynb", TEXT.replace("numbers = ", "number = "))
    assert main(["compile", "--check"]) == 1
    assert "KC201" in capsys.readouterr().err


def test_a_notebook_without_a_package_is_named_and_no_mistake(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_notebook(here / "other.ipynb", TEXT)
    write_notebook(here / "untagged.ipynb", "# %%\nprint(1)")
    assert main(["compile", "--check"]) == 0
    assert "without a package: other.ipynb\n" in capsys.readouterr().err
    assert main(["compile", "--check", "--strict"]) == 1


def test_output_says_where_the_packages_are(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "pyproject.toml").write_text('[tool.kalecompiler]\noutput = "pipelines"\n')
    (here / "pipelines").mkdir()
    assert main(["compile", "n.ipynb"]) == 0
    assert (here / "pipelines" / "n.yaml").read_bytes() == (here / "n.yaml").read_bytes()
    (here / "n.yaml").write_text("")
    assert main(["compile", "--check"]) == 0
    (here / "pipelines" / "n.yaml").write_text("")
    capsys.readouterr()
    assert main(["compile", "--check"]) == 1
    assert "pipelines/n.yaml is not what n.ipynb compiles to" in capsys.readouterr().err
    (here / "pyproject.toml").write_text("[tool.kalecompiler]\noutput = 3\n")
    assert main(["compile", "--check"]) == 2
    assert "`output` must be a folder" in capsys.readouterr().err


def test_notebooks_that_would_share_a_package(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "pyproject.toml").write_text('[tool.kalecompiler]\noutput = "pipelines"\n')
    for name in ("pipelines", "a", "b"):
        (here / name).mkdir()
    assert main(["compile", "n.ipynb"]) == 0
    write_notebook(here / "a" / "n.ipynb", "# %%\nprint(1)")  # without tags: it has no package
    assert main(["compile", "--check"]) == 0
    write_notebook(here / "b" / "n.ipynb", TEXT)
    capsys.readouterr()
    assert main(["compile", "--check"]) == 2
    assert (
        "pipelines/n.yaml is the package of b/n.ipynb and n.ipynb: give them different names" in capsys.readouterr().err
    )


def test_notebooks_of_the_configuration_are_compared(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "pyproject.toml").write_text('[tool.kalecompiler]\nnotebooks = ["other"]\n')
    (here / "other").mkdir()
    assert main(["compile", "--check"]) == 0
    assert "0 packages current" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["compile", "--check", "lost.ipynb"], "lost.ipynb"),
        (["compile"], "name one notebook to compile, not 0"),
        (["compile", "n.ipynb", "n.ipynb"], "name one notebook to compile, not 2"),
        (["compile", "--check", "n.ipynb", "-o", "m.yaml"], "--check writes nothing"),
    ],
)
def test_calls_that_are_wrong(here: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("format_", ["yaml", "py"])
def test_a_file_of_somebody_else_is_not_written_over(
    here: Path, capsys: pytest.CaptureFixture[str], format_: str
) -> None:
    own, call = here / f"n.{format_}", ["compile", "n.ipynb", "--format", format_]
    own.write_text("trees: 100\n")
    assert main(call) == 2
    assert f"n.{format_} is there, and is no compiled pipeline" in capsys.readouterr().err
    assert own.read_text() == "trees: 100\n"
    assert main([*call, "-o", f"n.{format_}"]) == 0
    assert main(call) == 0  # what we wrote is ours
    own.write_text("")
    assert main(call) == 0


def test_long_lines_of_a_diff_say_how_long_they_are() -> None:
    verdict = packagecheck.judge(Path("n.ipynb"), Path("n.yaml"), "a\n" + "x" * 1000 + "\n", "a\n" + "y" * 1000 + "\n")
    assert verdict is not None
    assert "-" + "x" * 119 + " ... 1,000 characters\n" in verdict.diff
