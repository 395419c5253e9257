"""What a local run leaves in the store: before, after and where it failed; and whatever befalls it meanwhile."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from snapshotting import FOUR, compiled, notebook, run, run_over_and_over
from support import write_notebook

from kalecompiler.cli import main
from kalecompiler.local import Status
from kalecompiler.snapshots import ingest, loads, retention, signing
from kalecompiler.snapshots.manifest import Manifest
from kalecompiler.snapshots.store import Store


@pytest.fixture(autouse=True)
def _key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(signing.FILE, str(tmp_path / "key"))
    signing.forget()


def kept(store: Store, manifest: Manifest) -> dict[str, Any]:
    """The values that a manifest has."""
    return {name: loads.value(store, item, True) for name, item in manifest.variables.items() if item.file}


def test_every_step_is_kept_before_and_after(tmp_path: Path) -> None:
    store, result, warned = run(tmp_path / "n")
    assert (result.status, warned) == (Status.SUCCEEDED, [])
    found = store.manifests(result.run)
    assert sorted(found) == sorted(
        (task, when) for task in ("one", "two", "three", "four") for when in ("before", "after")
    )
    assert kept(store, found["two", "before"]) == {"a": list(range(60_000))}
    assert kept(store, found["two", "before"]) == kept(store, found["one", "after"])
    last = kept(store, found["four", "after"])
    assert last["leaf"] == {"total": last["total"]}
    assert found["four", "after"].variables["c"].error == "it is larger than 1 MiB; snapshot:all keeps it"
    assert {signing.trusted(manifest) for manifest in found.values()} == {"signed"}
    assert found["one", "after"].random["random"][1][:3] != []
    record = store.run(result.run)
    assert [(step.key, step.status) for step in record.steps] == [
        (k, "succeeded") for k in ("one", "two", "three", "four")
    ]
    assert record.notebook and store.read(record.notebook) == (tmp_path / "n" / "nb.ipynb").read_bytes()
    assert record.package and record.status == "succeeded" and record.total_bytes >= record.new_bytes > 0


def test_a_second_run_adds_nothing_but_manifests(tmp_path: Path) -> None:
    run(tmp_path / "n")
    store, result, _ = run(tmp_path / "n")
    assert store.run(result.run).new_bytes == 0
    assert len(store.runs()) == 2


def test_a_step_that_fails_leaves_its_state(tmp_path: Path) -> None:
    cells = (
        ("step:one", "a = [1, 2]"),
        ("step:two prev:one", "b = a + [3]\nbig = bytes(2 << 20)\npassword = 'x'\nraise ValueError('boom')"),
        ("step:three prev:two", "print(b)"),
    )
    store, result, warned = run(tmp_path / "n", cells)
    found = store.manifests(result.run)
    assert (result.status, warned) == (Status.FAILED, [])
    assert sorted(found) == [("one", "after"), ("one", "before"), ("two", "before"), ("two", "failed")]
    failed = found["two", "failed"]
    assert failed.error == "ValueError: boom"
    assert kept(store, failed) == {"a": [1, 2], "b": [1, 2, 3]}
    assert failed.variables["password"].error == "its name looks like that of a secret"
    assert kept(store, found["two", "before"]) == {"a": [1, 2]}
    assert [step.status for step in store.run(result.run).steps] == ["succeeded", "failed", "skipped"]


@pytest.mark.parametrize("how", ["import os; os._exit(3)", "import os; os.kill(os.getpid(), 9)"])
def test_a_step_that_dies_has_at_least_what_was_before_it(tmp_path: Path, how: str) -> None:
    store, result, _ = run(tmp_path / "n", (("step:one", "a = [1, 2]"), ("step:two prev:one", f"a[0]\n{how}")))
    found = store.manifests(result.run)
    assert kept(store, found["two", "before"]) == {"a": [1, 2]}
    assert found["two", "failed"].variables == {}
    assert found["two", "failed"].error


def test_every_attempt_is_kept(tmp_path: Path) -> None:
    cells = (
        ("step:one retry:2:1s", "import pathlib\np = pathlib.Path('n')\nn = int(p.read_text()) if p.exists() else 0"),
        ("", "p.write_text(str(n + 1))\nassert n == 2"),
    )
    store, result, warned = run(tmp_path / "n", cells)
    assert (result.status, warned) == (Status.SUCCEEDED, [])
    names = sorted(name for _, name in store.manifest_files(result.run))
    assert names == ["after.json", "before.1.json", "before.2.json", "before.json", "failed.1.json", "failed.2.json"]
    assert {(m.when, m.attempt) for m in store.every_manifest(result.run)} >= {
        ("failed", 1),
        ("failed", 2),
        ("after", 3),
    }
    assert [kept(store, m)["n"] for m in store.every_manifest(result.run) if m.when != "before"] == [2, 0, 1]


@pytest.mark.parametrize(
    ("tag", "names"), [("snapshot:off", None), ("snapshot:passed", {"a"}), ("snapshot:all", {"a", "b", "big"})]
)
def test_what_a_level_keeps(tmp_path: Path, tag: str, names: set[str] | None) -> None:
    cells = (
        (f"step:one {tag}", "a = [1]\nb = a\nbig = bytes(2 << 20)\n_own = 1\ndef f(): pass"),
        ("step:two prev:one", "a"),
    )
    store, result, warned = run(tmp_path / "n", cells)
    assert (result.status, warned) == (Status.SUCCEEDED, [])
    found = store.manifests(result.run).get(("one", "after"))
    assert (set(found.variables) if found else None) == names
    assert found is None or set(kept(store, found)) == names


def test_a_run_without_snapshots_is_listed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_notebook(tmp_path / "plain.ipynb", "# %% step:one snapshot:off metrics:x\nx = 0.5\n")
    assert main(["run", "plain.ipynb"]) == 0
    capsys.readouterr()
    assert main(["show", "latest", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(step["status"], step["metrics"]) for step in found["steps"]] == [("succeeded", {"x": 0.5})]
    assert list(Store.open(tmp_path / ".kalec" / "store").every_manifest(found["run"])) == []


def test_what_cannot_be_saved_is_said_and_the_step_goes_on(tmp_path: Path) -> None:
    cells = (("step:one snapshot:all", "import threading\nlock = threading.Lock()\ngood = 1"),)
    store, result, warned = run(tmp_path / "n", cells)
    assert (result.status, warned) == (Status.SUCCEEDED, [])
    variables = store.manifests(result.run)["one", "after"].variables
    assert "lock" in (variables["lock"].error or "")
    assert variables["good"].file


def test_a_store_that_breaks_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kalecompiler.snapshots.objects.write", full)
    monkeypatch.setattr(Store, "open", classmethod(lambda cls, path, create: cls(path)))
    (tmp_path / "n" / ".kalec" / "store").mkdir(parents=True)
    _, result, warned = run(tmp_path / "n")
    assert result.status is Status.SUCCEEDED
    assert warned and all("No space left on device" in text for text in warned)


@pytest.mark.parametrize("count", [2, 4])
def test_runs_side_by_side_share_one_store(tmp_path: Path, count: int) -> None:
    run(tmp_path / "n")
    threads = [threading.Thread(target=lambda: run(tmp_path / "n")) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = Store.open(tmp_path / "n" / ".kalec" / "store")
    found = retention.verify(store)
    assert (found.runs, found.problems, found.unsigned) == (count + 1, (), 0)
    assert {record.status for record in store.runs()} == {"succeeded"}


def test_gc_during_a_run_loses_nothing(tmp_path: Path) -> None:
    done: list[Any] = []
    thread = threading.Thread(target=lambda: done.append(run(tmp_path / "n")))
    store = Store.open(tmp_path / "n" / ".kalec" / "store", create=True)
    thread.start()
    while thread.is_alive():
        retention.gc(store, last=1, grace=5)
        time.sleep(0.01)
    _, result, warned = done[0]
    assert (result.status, warned) == (Status.SUCCEEDED, [])
    assert retention.verify(store).problems == ()
    assert store.run(result.run).status == "succeeded"


@pytest.mark.slow
def test_kill_9_at_any_moment_leaves_only_whole_snapshots(tmp_path: Path) -> None:
    """50 runs are killed at random moments: whatever has a manifest restores, and gc clears the rest away."""
    (tmp_path / "c").mkdir()
    text, spec = compiled(tmp_path / "c", FOUR)
    expected = {"a": list(range(60_000)), "b": list(range(1, 60_001))}
    dice = random.Random(6)
    seen = 0
    for _ in range(50):
        process = os.fork()  # a new process would import for a second before there is anything to kill
        if process == 0:
            try:
                run_over_and_over(text, spec, tmp_path)
            finally:
                os._exit(1)
        time.sleep(dice.uniform(0.01, 0.5))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
    store = Store.open(tmp_path / ".kalec" / "store")
    for record in store.runs():
        for manifest in store.manifests(record.run).values():
            seen += 1
            values = kept(store, manifest)
            assert all(values[name] == expected[name] for name in expected if name in values)
    assert seen > 20
    assert retention.verify(store).problems == ()
    retention.gc(store, grace=0)
    assert retention.verify(store).problems == ()
    assert not list(store.path.rglob("*.part"))
    assert not [record for record in store.runs() if record.status == "running"]


@pytest.mark.parametrize("home", ["/proc/nowhere", ""])
def test_without_a_home_the_run_is_kept_unsigned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    monkeypatch.delenv(signing.FILE)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", home)
    signing.forget()
    monkeypatch.setattr("os.path.expanduser", lambda text: home or text)
    store, result, warned = run(tmp_path / "n", (("step:one", "a = 1"),))
    assert result.status is Status.SUCCEEDED
    assert len(warned) == 1 and "not signed" in warned[0]
    assert signing.trusted(store.manifests(result.run)["one", "after"]) == "unsigned"


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 54321")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert ingest.provenance.who()["user"] == str(os.getuid())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting needs root")
def test_a_full_disk_stops_the_snapshots_and_not_the_run(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        (disk / "store").mkdir()
        (tmp_path / "n" / ".kalec").mkdir(parents=True)
        small, large = tmp_path / "n", FOUR[:2] + ((FOUR[2][0], "import os\nc = os.urandom(6 << 20)"), FOUR[3])
        text, spec = compiled(notebook(small / "nb.ipynb", large).parent, large)
        store = Store.open(disk / "store", create=True)
        warned: list[str] = []
        keeper = ingest.Ingest(store, None, text.encode(), (), warned.append)
        from kalecompiler import local

        result = local.run(spec, arguments={}, folder=small / "runs", workdir=small, keeper=keeper)
        assert result.status is Status.SUCCEEDED
        assert any("kalec gc" in word for word in warned), warned
        assert ("two", "after") in store.manifests(result.run)
        assert retention.verify(store).problems == ()
        assert not list(store.path.rglob("*.part"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_what_a_chart_is_drawn_from_is_no_metric(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_notebook(
        tmp_path / "n.ipynb", "# %% step:a metrics:right metrics:cm=confusion\nright = 3\ncm = [[2, 0], [1, 1]]"
    )
    assert main(["run", "n.ipynb"]) == 0
    capsys.readouterr()
    assert main(["show", "latest", "--format", "json"]) == 0
    (step,) = json.loads(capsys.readouterr().out)["steps"]
    assert step["metrics"] == {"right": 3}
