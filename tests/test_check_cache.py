"""The cache of `kalec check`: it never changes an answer, whoever else writes to it and whatever became of it."""

from __future__ import annotations

import concurrent.futures
import contextlib
import multiprocessing
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest
from support import write_notebook

from kalecompiler import checkcache, checking, commands, watch
from kalecompiler.checking import Report, Request

USES_MODULE = "# %% step:a\nimport helpers\nprint(helpers.rows())"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.kalecompiler]\n")
    return tmp_path


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The notebooks that are really checked, and not looked up."""
    seen: list[str] = []
    real = checking.examine

    def examine(path: Path, *rest: Any) -> Any:
        seen.append(path.name)
        return real(path, *rest)

    monkeypatch.setattr(checking, "examine", examine)
    return seen


def check(*paths: str, **options: Any) -> Report:
    checkcache._surroundings.cache_clear()
    return commands.check([Path(path) for path in paths or (".",)], options, Request(cache=True, jobs=1))


def later(path: Path, text: str) -> None:
    """Write a file so that its time of change differs, whatever the file system's clock."""
    path.write_text(text, encoding="utf-8")
    os.utime(path, (time.time() + 5, time.time() + 5))


def test_a_second_run_checks_nothing_and_says_the_same(here: Path, checked: list[str]) -> None:
    write_notebook(here / "bad.ipynb", "# %% step:a prev:lost\nprint(größe)  # 日本")
    write_notebook(here / "good.ipynb", "# %% step:a\nprint(1)")
    first = check()
    assert checked == ["bad.ipynb", "good.ipynb"]
    assert check() == first
    assert len(checked) == 2
    assert (here / ".kalec_cache" / ".gitignore").read_text().endswith("\n*\n")


CHANGES = {
    "the notebook": lambda here: write_notebook(here / "n.ipynb", USES_MODULE + "  # 2"),
    "a module beside it": lambda here: later(here / "helpers.py", "def rows(): return 3\n"),
    "a package instead of the module": lambda here: _package(here),
    "a compiled module beside it": lambda here: later(here / "helpers.cpython-311-x86_64-linux-gnu.so", ""),
    "the module is gone": lambda here: (here / "helpers.py").unlink(),
    "the configuration": lambda here: later(here / "pyproject.toml", '[tool.kalecompiler]\nimage = "python:3.12"\n'),
    "the rules": lambda here: later(here / "pyproject.toml", '[tool.kalecompiler]\nignore = ["KC6"]\n'),
}


def _package(here: Path) -> None:
    (here / "helpers").mkdir()
    (here / "helpers" / "__init__.py").write_text("")


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_an_answer_depends_on_makes_it_be_asked_anew(here: Path, checked: list[str], change: Any) -> None:
    (here / "helpers.py").write_text("def rows(): return 1\n")
    write_notebook(here / "n.ipynb", USES_MODULE)
    check()
    check()
    assert len(checked) == 1
    change(here)
    changed = check()
    assert len(checked) == 2
    assert changed == commands.check([Path()], {})


def test_what_has_nothing_to_do_with_it_does_not(here: Path, checked: list[str]) -> None:
    (here / "helpers.py").write_text("def rows(): return 1\n")
    write_notebook(here / "n.ipynb", USES_MODULE)
    check()
    (here / "other.py").write_text("x = 1\n")
    (here / "data.csv").write_text("a,b\n")
    check()
    assert len(checked) == 1


def test_options_and_the_environment_count(here: Path, checked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    write_notebook(here / "n.ipynb", "# %% step:a\nprint(1)")
    check()
    check(image="python:3.12")
    monkeypatch.setenv("KALEC_IMAGE", "python:3.13")
    check()
    assert len(checked) == 3


def test_a_requirements_file_counts(here: Path, checked: list[str]) -> None:
    (here / "requirements.txt").write_text("pandas>=2\n")
    write_notebook(here / "n.ipynb", "# %% step:a\n%pip install -r requirements.txt\nprint(1)")
    check()
    later(here / "requirements.txt", "pandas=2\n")
    found = check()
    assert len(checked) == 2
    assert found == commands.check([Path()], {})


DAMAGES = {
    "empty": b"",
    "cut off": b'{"key": "a", "wat',
    "other bytes": b"\xff\x00\xfe",
    "another shape": b"[1, 2]",
    "an unknown rule": b'{"key": KEY, "watched": [], "content": {"state": "checked", "hidden": 0, "problem": "", '
    b'"diagnostics": [{"code": "KC999", "message": "m", "hint": null, "at": {"path": "n"}}]}}',
    "another finding": b'{"key": KEY, "watched": [], "content": {"diagnostics": 7}}',
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_cache_is_made_anew_without_a_word(here: Path, checked: list[str], damage: bytes) -> None:
    write_notebook(here / "n.ipynb", "# %% step:a prev:lost\nprint(1)")
    first = check()
    (entry,) = (here / ".kalec_cache").glob("*/*.json")
    key = entry.parent.name + entry.stem
    entry.write_bytes(damage.replace(b"KEY", f'"{key}"'.encode()))
    assert check() == first
    assert len(checked) == 2
    assert check() == first
    assert len(checked) == 2


def test_a_cache_that_cannot_be_written_is_none(here: Path, checked: list[str]) -> None:
    (here / ".kalec_cache").write_text("in the way")
    write_notebook(here / "n.ipynb", "# %% step:a\nprint(1)")
    assert check() == check()
    assert len(checked) == 2


def test_entries_that_nobody_asked_for_since_a_month_are_removed(here: Path, checked: list[str]) -> None:
    write_notebook(here / "n.ipynb", "# %% step:a\nprint(1)")
    check()
    (entry,) = (here / ".kalec_cache").glob("*/*.json")
    ago = time.time() - 40 * 24 * 3600
    os.utime(entry, (ago, ago))
    os.utime(here / ".kalec_cache" / ".gitignore", (ago, ago))
    write_notebook(here / "n.ipynb", "# %% step:a\nprint(2)")
    check()
    assert not entry.exists()
    assert len(list((here / ".kalec_cache").glob("*/*.json"))) == 1


def test_without_a_project_it_is_kept_with_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checked: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    write_notebook(tmp_path / "n.ipynb", "# %% step:a\nprint(1)")
    check("n.ipynb")
    assert len(list((tmp_path / "xdg").rglob("*.json"))) == 1
    monkeypatch.setenv("KALEC_CACHE_DIR", str(tmp_path / "elsewhere"))
    check("n.ipynb")
    assert len(list((tmp_path / "elsewhere").rglob("*.json"))) == 1


def _many(folder: str, seed: int) -> list[tuple[str, str]]:
    """Check a folder again and again, and damage the cache meanwhile."""
    os.chdir(folder)
    draw = random.Random(seed)
    for _ in range(6):
        for entry in Path(".kalec_cache").glob("*/*.json"):
            if draw.random() < 0.2:
                with contextlib.suppress(FileNotFoundError):
                    entry.write_text("{" * draw.randrange(3))
        report = check()
    return [(d.location.path, d.rule.code) for d in report.diagnostics]


def test_parallel_runs_on_one_cache_get_right_answers(here: Path) -> None:
    for number in range(10):
        write_notebook(here / f"n{number}.ipynb", f"# %% step:a{' prev:lost' if number % 2 else ''}\nprint({number})")
    expected = [(d.location.path, d.rule.code) for d in commands.check([Path()], {}).diagnostics]
    with concurrent.futures.ProcessPoolExecutor(3, multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(_many, [str(here)] * 3, range(3)))
    assert found == [expected] * 3


def test_names_with_spaces_are_told_from_several(tmp_path: Path) -> None:
    (tmp_path / "m m.py").touch()
    before = watch.state(str(tmp_path), "m")
    (tmp_path / "m m.py").unlink()
    for name in ("m", "m.py"):
        (tmp_path / name).touch()
    assert watch.state(str(tmp_path), "m") != before
