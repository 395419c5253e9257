"""However a step ends, or the run: what it had is kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import travelling
from conftest import ROOT
from snapshotting import FOUR, notebook, run
from support import write_notebook

from kalecompiler import travel
from kalecompiler.commands import RunRequest
from kalecompiler.snapshots import hooks, recover, retention, signing, state
from kalecompiler.snapshots.manifest import FileRef, Manifest, RunRecord
from kalecompiler.snapshots.store import Store, StoreProblem

NOTEBOOK = """
# %% step:given
a = [1]
# %% step:raises prev:given
b = a + [2]
b[9]
# %% step:exits prev:given
b = a + [2]
import sys
sys.exit(3)
# %% step:full prev:given
b = a + [2]
bytearray(1 << 62)
# %% step:interrupted prev:given
b = a + [2]
raise KeyboardInterrupt
# %% step:late prev:given timeout:1s
b = a + [2]
import time
time.sleep(30)
# %% step:aborts prev:given
b = a + [2]
import os
import shutil
os.abort()
"""
ENDS = {
    "raises": "IndexError: list index out of range",
    "exits": "SystemExit: 3",
    "full": "MemoryError: ",
    "interrupted": "KeyboardInterrupt: ",
    "late": "took longer than its time limit of 1 s",
    "aborts": "was killed by SIGABRT",
}


def test_what_a_step_had_is_kept_however_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    travelling.own_key(monkeypatch, tmp_path / "key")
    (tmp_path / "n").mkdir()
    _, found, result = travelling.keep(write_notebook(tmp_path / "n" / "n.ipynb", NOTEBOOK), tmp_path / "book")
    assert {step.name for step in result.steps if step.status.value == "failed"} == set(ENDS)
    manifests = found.store.manifests(found.record.run)
    for step, error in ENDS.items():
        failed = manifests[step, "failed"]
        assert failed.error == error
        kept = {name for name, variable in failed.variables.items() if variable.file}
        assert kept == ({"a", "b"} if step != "aborts" else set()), step
        assert manifests[step, "before"].variables["a"].file == manifests["given", "after"].variables["a"].file


def killed(folder: Path, *lost: tuple[str, str]) -> tuple[Store, RunRecord, dict[tuple[str, str], Manifest]]:
    """A run whose process was killed before it could keep the manifests `lost`; and what it would have kept."""
    store, result, _ = run(folder)
    whole = store.manifests(result.run)
    for task, when in lost:
        (store.path / "runs" / result.run / task / f"{when}.json").unlink()
    ended = subprocess.Popen(["true"])
    ended.wait()
    record = store.run(result.run)
    steps = tuple(replace(step, status="", seconds=0.0) for step in record.steps)
    extra = {**record.extra, "process": ended.pid}
    store.write_run(signing.sign(replace(record, status="running", ended=None, steps=steps, extra=extra)))
    return store, store.run(result.run), whole


def test_what_a_killed_run_had_done_is_kept_when_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    travelling.own_key(monkeypatch, tmp_path / "key")
    called: list[str] = []
    monkeypatch.setattr(hooks, "call", lambda manifest, warn: called.append(manifest.task) or {})
    lost = (("two", "after"), ("three", "before"), ("three", "after"), ("four", "before"), ("four", "after"))
    store, record, whole = killed(tmp_path / "n", *lost)
    (tmp_path / "n" / ".kalec" / "runs" / record.run / "four" / "executor_output.json").unlink()  # it did not end
    del called[:]
    told = recover.recover(store, record)
    assert (told.status, [step.status for step in told.steps]) == ("stopped", [*["succeeded"] * 3, ""])
    assert (told, signing.trusted(told)) == (store.run(record.run), signing.SIGNED)
    found = store.manifests(record.run)
    assert set(found) == set(whole) - {("four", "before"), ("four", "after")}
    for place, manifest in found.items():
        assert manifest.variables == whole[place].variables, place
        assert (manifest.files, manifest.inputs) == (whole[place].files, whole[place].inputs), place
        assert signing.trusted(manifest) == signing.SIGNED
    assert called == [], "hooks are told of steps when they run, and not again"
    assert recover.recover(store, told) is told
    assert retention.verify(store).problems == ()


def test_a_killed_run_of_anybody_else_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies in its folder is not signed by whoever looks at it."""
    travelling.own_key(monkeypatch, tmp_path / "key")
    store, record, _ = killed(tmp_path / "n", ("two", "after"))
    alive = replace(record, extra={**record.extra, "process": os.getpid()}, signature=None)
    assert recover.recover(store, signing.sign(alive)).status == "running"
    travelling.own_key(monkeypatch, tmp_path / "another")
    assert recover.recover(store, record) is record
    assert ("two", "after") not in store.manifests(record.run)


def test_what_found_no_space_is_kept_when_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk: the folder of the run has the step whole, and what it says is known by the signed record."""
    travelling.own_key(monkeypatch, tmp_path / "key")
    put = Store.put_file

    def full(store: Store, path: Path, digest: str = "", share: bool = False) -> FileRef:
        if path.stat().st_size > 1 << 20:
            raise StoreProblem("No space left on device")
        return put(store, path, digest, share)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "put_file", full)
        (tmp_path / "n").mkdir()
        result = travelling.run(notebook(tmp_path / "n" / "nb.ipynb", FOUR))
        store = Store.open(tmp_path / "n" / ".kalec" / "store")
        record = store.run(result.run)
        assert recover.recover(store, record) == record
        with pytest.raises(StoreProblem, match="of step three, above it, no snapshot was kept: No space left"):
            state.find(store, record, "four")
        plan = travel.plan(result.run, tmp_path / "n", RunRequest(), None, trust=False, options={})
        assert plan.decisions["three"].why == f"its snapshot was not kept in {result.run}: No space left on device"
    folder = tmp_path / "n" / ".kalec" / "runs" / result.run / "three"
    (port,) = folder.glob("c*")
    for path in (port, folder / "executor_output.json", folder / "traces.json"):
        data = path.read_bytes()
        path.write_bytes(data.replace(b"a", b"b") if path.suffix else data[:-9] + bytes(9))  # by another's hand
        assert recover.recover(store, record) == record
        assert ("three", "after") not in store.manifests(result.run)
        path.write_bytes(data)
    told = recover.recover(store, record)
    assert (told, signing.trusted(told), recover.recover(store, told)) == (store.run(result.run), signing.SIGNED, told)
    assert (told.status, told.new_bytes > record.new_bytes, told.steps[2].extra) == ("succeeded", True, {})
    assert [item.variable for item in state.find(store, told, "four").items] == ["a", "b", "c"]
    assert store.is_whole(store.manifest(result.run, "three", "after").variables["c"].file)
    plan = travel.plan(result.run, tmp_path / "n", RunRequest(), "four", trust=False, options={})
    assert [step for step, decision in plan.decisions.items() if not decision.reused] == ["four"]
    assert retention.verify(store).problems == ()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users may have: those above `tmp_path` are this user's alone."""
    made = Path(tempfile.mkdtemp(prefix="kalec-test-"))
    yield made
    shutil.rmtree(made)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv"
)
@pytest.mark.parametrize("home", ["none", "read-only"])
def test_a_uid_without_a_name_and_a_home(tmp_path: Path, folder: Path, home: str) -> None:
    """As in a pod with `runAsUser`. (It may read what only root may: Python itself may be installed there.)"""
    uid = "54321"
    nobody = [*f"setpriv --reuid {uid} --regid {uid} --clear-groups".split(), "--inh-caps", "+dac_read_search"]
    nobody += ["--ambient-caps", "+dac_read_search"]
    if subprocess.run([*nobody, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no other uid can be had here")
    readonly = tmp_path / "home"
    readonly.mkdir()
    os.chown(folder, int(uid), int(uid))
    write_notebook(folder / "n.ipynb", "# %% step:one\na = [1]\n# %% step:two prev:one\nb = a[9]\n")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    environment |= {"HOME": str(readonly)} if home == "read-only" else {}

    def kalec(*words: str) -> subprocess.CompletedProcess[str]:
        command = [*nobody, sys.executable, "-m", "kalecompiler", *words]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    done = kalec("run", "n.ipynb")
    assert done.returncode == 1
    assert done.stderr.rstrip().splitlines()[-1].startswith("the snapshots of this run are not signed: ")
    opened = kalec("checkout", "latest", "--step", "two")
    assert (opened.returncode, opened.stderr) == (0, "")
    assert "a  list  from one" in opened.stdout
    (store,) = folder.glob(".kalec/store")
    assert Store.open(store).runs()[0].origin("who")["user"] == uid
    assert not list(readonly.iterdir())
