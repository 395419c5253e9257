"""The project itself: what the wheel holds, who imports whom, and that its pages say what is so."""

from __future__ import annotations

import ast
import functools
import os
import re
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import click
import pytest
from support import write_notebook

import kalecompiler
from kalecompiler.cli import kalec, main
from kalecompiler.version import VERSION

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "kalecompiler"
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))
TEMPLATES = sorted(path.name for path in (ROOT / "templates").glob("*.jinja"))

# Heavy libraries, and the parts of the package that may import them.
HOMES = {
    "kfp": ("compile.py", "submit/connection.py"),
    "kfp_server_api": ("submit/transport.py",),
    "requests": ("submit/dex.py", "submit/transport.py"),
    "nbformat": ("notebook.py", "reporting/executed.py", "snapshots/notebookout.py"),
    "nbconvert": ("reporting/cellhtml.py",),
    "jinja2": ("render.py", "reporting/cellhtml.py", "reporting/page.py"),
    "mlflow": ("tracking/mlflowruns.py",),
    "wandb": ("tracking/wandbruns.py",),
    "networkx": ("dataflow.py",),
    "IPython": ("ipython.py", "transformer.py"),
    "fsspec": ("runtime/mirror.py", "submit/buckets.py"),
    "rich": ("progress.py", "snapshots/blocks.py", "submit/display.py"),
    "click": tuple(f"{name}.py" for name in "checkcli cli console lookcli options remotecli reportcli tagcli".split())
    + ("snapshotcli.py", "travelcli.py"),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from this tree, without a network."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    assert wheel.name == f"kalecompiler-{VERSION}-py3-none-any.whl"
    return wheel


@pytest.fixture(scope="module")
def wheel(built: Path) -> list[str]:
    """The names of the files in the wheel."""
    return zipfile.ZipFile(built).namelist()


def test_wheel_has_the_package_with_its_templates_and_pages_and_nothing_else(wheel: list[str]) -> None:
    expected = {str(path.relative_to(ROOT)) for path in MODULES}
    expected |= {f"kalecompiler/templates/{name}" for name in TEMPLATES}
    expected |= {str(path.relative_to(ROOT)) for path in (PACKAGE / "rules").glob("*.md")}
    inside = {name for name in wheel if ".dist-info/" not in name}
    assert TEMPLATES
    assert expected <= inside
    assert {name for name in inside - expected if not name.startswith("kalecompiler/")} == set()
    assert {Path(name).suffix for name in inside - expected} <= {".typed", ".json", ".txt", ".css", ".jinja"}


def test_wheel_has_the_licence_and_the_scripts(wheel: list[str]) -> None:
    names = {name.split(".dist-info/")[1] for name in wheel if ".dist-info/" in name}
    assert {"licenses/LICENSE", "entry_points.txt", "METADATA"} <= names


def test_what_is_in_the_wheel_compiles_a_notebook(built: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(built).extractall(tmp_path / "installed")
    write_notebook(tmp_path / "n.ipynb", "# %% step:a\nprint(1)")
    command = [sys.executable, "-m", "kalecompiler", "compile", "n.ipynb"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=120)
    assert (tmp_path / "n.yaml").exists()


@functools.cache
def imports(path: Path) -> set[str]:
    """The top-level names that a module imports, wherever in it, those for type checkers left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    checking = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)]
    left_out = {id(inner) for node in checking for inner in ast.walk(node)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in left_out:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module).split(".")[0])
    return found


@pytest.mark.parametrize("library", HOMES)
def test_each_library_has_one_home(library: str) -> None:
    users = {str(path.relative_to(PACKAGE)) for path in MODULES if library in imports(path)}
    assert users <= set(HOMES[library])


def test_the_runtime_needs_the_standard_library_alone() -> None:
    found = set().union(*(imports(path) for path in (PACKAGE / "runtime").rglob("*.py")))
    assert found - set(sys.stdlib_module_names) - {"kalecompiler", "IPython", "cloudpickle", "blake3", "fsspec"} <= {
        "numpy",
        "pandas",
    }


def test_no_module_is_named_like_one_of_the_standard_library() -> None:
    names = {path.parent.name if path.stem == "__init__" else path.stem for path in MODULES}
    assert names & set(sys.stdlib_module_names) <= {"__main__"}


def test_public_names_are_there_and_none_is_a_module() -> None:
    assert kalecompiler.__all__ == [
        "VERSION",
        "NotebookError",
        "UsageError",
        "compile_package",
        "load",
        "plan_notebook",
    ]
    assert set(kalecompiler.__all__) <= set(dir(kalecompiler))
    assert not set(kalecompiler.__all__) & {path.stem for path in MODULES}
    assert not [name for name in kalecompiler.__all__ if isinstance(getattr(kalecompiler, name), ModuleType)]
    assert not hasattr(kalecompiler, "nothing")


def test_the_package_alone_imports_nothing() -> None:
    program = "import sys, kalecompiler; print(*sorted(m for m in sys.modules if m.startswith('kalecompiler.')))"
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout == "\n"


def test_check_imports_nothing_heavy() -> None:
    program = (
        "import sys; from kalecompiler.cli import main; status = main(sys.argv[1:]); "
        "print(status, *sorted({'kfp', 'jinja2', 'rich', 'nbformat', 'IPython', 'yaml'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program, "check", str(ROOT / "notebooks" / "churn.ipynb")]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout == "0\n"


def test_generated_pages_are_current() -> None:
    pages = runpy.run_path(str(ROOT / "docs" / "generate.py"))["PAGES"]
    for name, page in pages.items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == page(), f"docs/{name}: make docs"


def readme_commands() -> list[str]:
    """Every `kalec ...` and `make ...` line in README's indented blocks, without what follows two spaces."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    return [re.split(r" {2,}", line.strip())[0] for line in lines if re.match(r" {4,}(kalec|make) ", line)]


def test_commands_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    commands = readme_commands()
    assert len(commands) > 8
    for line in commands:
        program, *arguments = line.split()
        if program == "make":
            assert set(arguments) <= targets, line
            continue
        command = kalec.commands[arguments[0]]
        options = {spelling for option in command.params for spelling in option.opts} | {"-h"}
        assert {word for word in arguments[1:] if word.startswith("-") and word != "-"} <= options, line


OF_A_RUN = re.compile(r"kalec runs|.* latest")


@pytest.mark.parametrize(
    "line", [line for line in readme_commands() if line.startswith("kalec ") and not OF_A_RUN.match(line)]
)
def test_commands_of_the_readme_run(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_notebook(tmp_path / "untagged.ipynb", "# %%\nprint(1)")
    for example in (ROOT / "notebooks").glob("*.ipynb"):
        (tmp_path / example.name).write_bytes(example.read_bytes())
    assert main(line.split()[1:]) == 0


def test_commands_of_the_readme_look_at_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "churn.ipynb").write_bytes((ROOT / "notebooks" / "churn.ipynb").read_bytes())
    assert main(["run", "churn.ipynb", "-p", "customers=500"]) == 0
    lines = [line for line in readme_commands() if OF_A_RUN.match(line)]
    assert len(lines) > 4
    for line in lines:
        assert main(line.split()[1:]) == 0, line


@pytest.mark.parametrize("name", ["", *kalec.commands])
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("-h", "--help"):
        assert main([*name.split(), option]) == 0
        assert "Examples:" in capsys.readouterr().out
    command = kalec.commands[name] if name else kalec
    assert all(option.help for option in command.params if isinstance(option, click.Option))


def test_the_makefile_has_what_is_promised() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("demo", "test", "check", "bench", "docs", "clean"):
        assert re.search(rf"^{target}:", text, re.MULTILINE)


def test_changelog_has_this_version() -> None:
    assert f"## [{VERSION}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
