"""The commands that keep house, as they are called: what they say, and their exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from snapshotting import run

from kalecompiler.snapshots import signing
from kalecompiler.snapshots.store import Store

CELLS = (("step:one", "a = list(range(5_000))"), ("step:two prev:one", "b = len(a)"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two runs."""
    monkeypatch.setenv(signing.FILE, str(tmp_path / "key"))
    signing.forget()
    for _ in range(2):
        run(tmp_path / "n", CELLS)
    return tmp_path / "n"


def kalec(folder: Path, *words: str) -> tuple[int, str, str]:
    """Call the command line in a folder: (status, stdout, stderr)."""
    command = [sys.executable, "-m", "kalecompiler", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def test_a_run_is_checked_pinned_swept_and_handed_on(folder: Path, tmp_path: Path) -> None:
    older = Store.open(folder / ".kalec" / "store").runs()[-1].run
    status, out, _ = kalec(folder, "verify", "--format", "json")
    assert (status, json.loads(out)["runs"], json.loads(out)["problems"]) == (0, 2, [])
    assert kalec(folder, "pin", older)[1] == f"{older} is pinned: gc leaves it alone\n"
    assert json.loads(kalec(folder, "gc", "--last", "1", "--grace", "0", "--format", "json")[1])["runs"] == []
    assert kalec(folder, "unpin", older)[0] == 0
    queue = folder / ".kalec" / "runs" / older / "tracking.d" / "mlflow.queue"
    queue.parent.mkdir()
    queue.touch()
    for words in (("--dry-run",), ("--grace", "0")):
        kept = f"kept run {older}: a tracker was not told all of it, `kalec track` tells it\n"
        assert kalec(folder, "gc", "--last", "1", *words)[1].startswith(kept)
    queue.unlink()
    assert kalec(folder, "gc", "--last", "1", "--dry-run")[1].startswith(f"would remove run {older}\n")
    assert kalec(folder, "gc", "--last", "1", "--grace", "0")[1].startswith(f"removed run {older}\n")
    assert not (folder / ".kalec" / "runs" / older).exists()
    assert kalec(folder, "export", "latest", str(tmp_path / "run.tar"))[0] == 0
    assert kalec(folder, "export", "latest", str(tmp_path / "run.tar"))[0] == 2
    (tmp_path / "theirs").mkdir()
    status, out, _ = kalec(tmp_path / "theirs", "import", str(tmp_path / "run.tar"))
    assert (status, "it bears our signature" in out) == (0, True)
    assert kalec(tmp_path / "theirs", "verify")[0] == 0


def test_damage_is_status_1_and_a_wrong_call_2(folder: Path, tmp_path: Path) -> None:
    for path in (folder / ".kalec" / "store" / "objects").rglob("*"):
        if path.is_file():
            path.write_bytes(b"x" * path.stat().st_size)
    status, out, _ = kalec(folder, "verify", "latest")
    assert (status, "is damaged" in out, "problems" in out) == (1, True, True)
    (folder / ".kalec" / "store" / "runs" / json.loads(kalec(folder, "runs", "--format", "json")[1])[0]["run"]
     / "run.json").write_text("{")  # fmt: skip
    status, out, err = kalec(folder, "runs", "--format", "json")
    assert (status, len(json.loads(out)), "warning: the record of 1 run is damaged" in err) == (0, 1, True)
    status, out, err = kalec(folder, "gc")
    assert (status, "left alone: the record of run" in out, err) == (0, True, "")
    (tmp_path / "empty").mkdir()
    for words in (("verify",), ("gc",), ("pin", "x"), ("export", "x", "y"), ("import", "missing.tar")):
        status, out, err = kalec(tmp_path / "empty", *words)
        assert (status, out) == (2, "")
        assert err.startswith("error: ") and "Traceback" not in err
