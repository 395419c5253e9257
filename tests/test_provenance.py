"""Where a run comes from, as its record has it."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import write_notebook

from kalecompiler import provenance
from kalecompiler.cli import main
from kalecompiler.commands import RunRequest, compile_, run
from kalecompiler.reporting import twins
from kalecompiler.snapshots import find
from kalecompiler.submit import versions
from kalecompiler.version import VERSION

NOTEBOOK = """
# %% pipeline-parameters
seed = 3
# %% imports
import random
import numpy as np
# %% step:load
rng = np.random.default_rng(seed)
random.seed(7)
rows = open("data.csv").read()
# %% step:score
import time
score = len(rows) + CHANGING
# %% pipeline-metrics
print(score)
"""


def record(folder: Path, text: str = NOTEBOOK, *options: str) -> dict[str, Any]:
    """Run a notebook, and give its record."""
    (folder / "data.csv").write_text("a,b\n1,2\n", "utf-8")
    path = write_notebook(folder / "origin.ipynb", text.replace("CHANGING", "1"))
    assert main(["run", str(path), *options]) == 0
    return latest(folder)


def latest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / ".kalec" / "runs" / "latest" / "run.json").read_text("utf-8"))
    return found


def git(folder: Path, *arguments: str) -> str:
    own = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *own, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_record_says_who_when_what_and_with_which(tmp_path: Path) -> None:
    found = record(tmp_path, NOTEBOOK, "-p", "seed=5")
    known, path = found["provenance"], tmp_path / "origin.ipynb"
    assert found["started"] < found["ended"]
    assert found["parameters"] == {"seed": 5}
    assert known["who"]["user"] == getpass.getuser()
    assert known["notebook"] == {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    assert known["package"]["sha256"] == versions.digest(compile_(path, {}).compiled)
    assert known["versions"] | {"kfp": None, "system": ""} == {
        "python": platform.python_version(),
        "kalecompiler": VERSION,
        "kfp": None,
        "system": "",
    }
    assert known["versions"]["kfp"]
    assert known["packages"]["numpy"]
    assert known["requirements"]["load"] == ["numpy"]
    assert [(seed["where"], seed["code"]) for seed in known["seeds"]] == [
        ("origin.ipynb load[1]", "np.random.default_rng(seed)"),
        ("origin.ipynb load[1]", "random.seed(7)"),
    ]
    digest = hashlib.sha256(b"a,b\n1,2\n").hexdigest()
    assert known["files"] == [{"path": "data.csv", "size": 8, "sha256": digest}]
    load, score = found["steps"]
    assert found["started"] <= load["started"] < load["ended"] <= score["started"] < score["ended"] <= found["ended"]
    assert (score["metrics"], score["failure"]) == ({"score": 9}, None)


def test_a_notebook_that_is_saved_while_it_is_compiled_is_kept_as_it_was_compiled(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "n.ipynb", "# %% step:one\na = 1\n")
    before, package = path.read_bytes(), compile_(path, {})
    write_notebook(path, "# %% step:one\na = 2\n")
    run(path, package, RunRequest(), lambda event: None)
    (store,) = find.stores_near(tmp_path)
    (kept,) = store.runs()
    assert kept.notebook is not None
    assert store.read(kept.notebook) == before
    assert latest(tmp_path)["provenance"]["notebook"]["sha256"] == hashlib.sha256(before).hexdigest()


def test_git_is_told_with_what_was_changed(tmp_path: Path) -> None:
    notebook, other = tmp_path / "n.ipynb", tmp_path / "other.py"
    assert provenance.git(notebook) is None
    notebook.write_text("{}")
    other.write_text("")
    git(tmp_path, "init", "-q", "-b", "trunk")
    git(tmp_path, "add", "n.ipynb", "other.py")
    git(tmp_path, "commit", "-q", "-m", "one")
    commit = git(tmp_path, "rev-parse", "HEAD")
    clean = {"commit": commit, "branch": "trunk", "dirty": False, "notebook": False}
    assert provenance.git(notebook) == clean
    (tmp_path / "new.txt").write_text("")
    assert provenance.git(notebook) == clean
    other.write_text("x = 1")
    assert provenance.git(notebook) == clean | {"dirty": True}
    notebook.write_text("{ }")
    assert provenance.git(notebook) == clean | {"dirty": True, "notebook": True}
    assert provenance.git(tmp_path / "untracked.ipynb") == clean | {"dirty": True}


def test_git_is_asked_of_that_notebook_whatever_names_there_are(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "trunk")
    (tmp_path / "sub").mkdir()
    for name in ("a1.ipynb", "a[1].ipynb"):
        (tmp_path / name).write_text("{}")
    (tmp_path / ".gitignore").write_text("own.ipynb\nsub\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    (tmp_path / "a1.ipynb").write_text("{ }")
    known = provenance.git(tmp_path / "a[1].ipynb")
    assert known is not None
    assert (known["dirty"], known["notebook"]) == (True, False)
    for ignored in (tmp_path / "own.ipynb", tmp_path / "sub" / "n.ipynb"):  # the commit has neither
        ignored.write_text("{}")
        known = provenance.git(ignored)
        assert known is not None
        assert known["notebook"]
    if sys.platform == "linux":
        git(tmp_path, "checkout", "-q", "-b", os.fsdecode(b"caf\xe9"))
        known = provenance.git(tmp_path / "a1.ipynb")
        assert known is not None
        assert known["branch"] == "caf\ufffd"


def test_a_run_under_way_has_a_record_already(tmp_path: Path) -> None:
    text = '# %% step:a\nimport json, pathlib\nprint(pathlib.Path(".kalec/runs/latest/run.json").read_text())'
    found = record(tmp_path, text)
    log = Path(found["steps"][0]["log"]).read_text("utf-8")
    early = json.loads(log)
    assert (early["status"], found["status"]) == ("running", "succeeded")
    assert early["provenance"] == found["provenance"]


def test_equal_records_with_other_metrics_are_pointed_out(tmp_path: Path) -> None:
    text = NOTEBOOK.replace("CHANGING", "time.time()")
    first, second = record(tmp_path, text), record(tmp_path, text)
    folder = tmp_path / ".kalec" / "runs" / second["run"]
    (found,) = twins.disagreeing(folder)
    scores = tuple(one["steps"][1]["metrics"]["score"] for one in (second, first))
    assert found == twins.Twin(first["run"], {"score": scores})
    assert main(["report", str(folder)]) == 0
    assert "not reproducible" in (folder / "report.html").read_text("utf-8")
    record(tmp_path, text, "-p", "seed=4")
    assert len(twins.disagreeing(folder)) == 1
    (tmp_path / "data.csv").write_text("another", "utf-8")
    assert main(["run", str(tmp_path / "origin.ipynb")]) == 0
    assert twins.disagreeing(tmp_path / ".kalec" / "runs" / latest(tmp_path)["run"]) == []


OPENS = """
# %% step:a
import os
rows = open(os.path.join("data", "x.csv")).read()
with open("own" + ".txt", "w") as file:
    file.write(str(CHANGING))
# %% step:b prev:a
score = len(rows) + float(open("own" + ".txt").read())
# %% pipeline-metrics
print(score)
"""


def test_runs_that_read_other_files_are_not_said_to_be_irreproducible(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()

    def measured(text: str, changing: str = "0") -> str:
        """What diff and show say of the last two runs, and the page of the last one."""
        (tmp_path / "data" / "x.csv").write_text(text)
        write_notebook(tmp_path / "origin.ipynb", OPENS.replace("CHANGING", changing))
        assert main(["run", "origin.ipynb"]) == 0
        if len([*(tmp_path / ".kalec" / "runs").glob("origin-*")]) == 1:
            return ""
        twin = twins.disagreeing((tmp_path / ".kalec" / "runs" / "latest").resolve())
        capsys.readouterr()
        assert main(["show", "latest"]) == main(["diff", "latest~1", "latest"]) == 0
        return capsys.readouterr().out + str(twin or "")

    measured("1")
    changed = measured("12345")
    assert "differs in file" in changed or "data/x.csv" in changed
    assert "reproducible" not in changed
    assert "Twin" not in changed
    assert main(["run", "origin.ipynb"]) == 0
    measured("12345", "__import__('time').time()")
    second = measured("12345", "__import__('time').time()")
    for words in ("Twin(", "not reproducible: origin-", "differ in score: not reproducible"):
        assert words in second  # what a step wrote itself is no reason


def test_equal_runs_agree(tmp_path: Path) -> None:
    record(tmp_path)
    assert twins.disagreeing(tmp_path / ".kalec" / "runs" / record(tmp_path)["run"]) == []


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("torch.manual_seed(1)", ["torch.manual_seed(1)"]),
        ("model = Forest(random_state=2, depth=3)", ["Forest(random_state=2)"]),
        ("seed = 4", []),
        ("this is no python (", []),
    ],
)
def test_seeds_are_found_in_the_code(source: str, code: list[str]) -> None:
    assert [seed["code"] for seed in provenance.seeds(source, "here")] == code


def test_a_large_file_is_told_by_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "large.bin").write_bytes(b"12345")
    monkeypatch.setattr(provenance, "LARGEST_FILE", 4)
    (found,) = provenance.files(["open('large.bin')", "'/'", "'\\0'"], tmp_path)
    assert found == {"path": "large.bin", "size": 5, "modified": (tmp_path / "large.bin").stat().st_mtime}
