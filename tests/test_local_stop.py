"""However a local run ends, it leaves no process behind. Each run here is a process of its own, to be shot at."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packages import alive, package, task, until

from kalecompiler import local
from kalecompiler.local import watchdog

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")

RUNNER = """
import json, sys
from pathlib import Path
from kalecompiler import local
here = Path(sys.argv[1])
spec = json.loads((here / "package.json").read_text())
result = local.run(spec, arguments={}, folder=here / "runs", workdir=here, jobs=4)
print(json.dumps(local.to_json(result)))
"""

# A step with a child, and a grandchild in a session of its own; all of them note their process id.
FAMILY = """
def note(pid):
    pathlib.Path(f"pid-{pid}").touch()
note(os.getpid())
child = subprocess.Popen(["sleep", "600"])
note(child.pid)
escaped = subprocess.Popen(["sh", "-c", "sleep 600 & wait"], start_new_session=True)
note(escaped.pid)
"""
WAITS = FAMILY + "pathlib.Path(f'ready-{os.getpid()}').touch(); time.sleep(600)"
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAITS


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """The runs that a test started."""
    runs: list[subprocess.Popen[str]] = []
    yield runs
    for process in runs:
        process.kill()
        process.communicate()


@pytest.fixture(autouse=True)
def cleared(tmp_path: Path) -> Iterator[None]:
    """Kills what a failing test leaves behind."""
    yield
    for pid in filter(alive, noted(tmp_path)):
        os.kill(pid, signal.SIGKILL)


def start(started: list[subprocess.Popen[str]], folder: Path, spec: dict[str, Any]) -> subprocess.Popen[str]:
    """Run a package in the background, and wait until its two steps and their families are there."""
    (folder / "package.json").write_text(json.dumps(spec), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=Path(__file__).parents[1],
    )
    started.append(process)
    until(lambda: len(list(folder.glob("ready-*"))) == 2 or process.poll() is not None)
    return process


def noted(folder: Path) -> list[int]:
    return [int(path.name.removeprefix("pid-")) for path in folder.glob("pid-*")]


def two(code: str) -> dict[str, Any]:
    return package(a=task(code), b=task(code), later=task(after=["a"]))


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_stops_every_process(tmp_path: Path, started: Any, signum: int) -> None:
    process = start(started, tmp_path, two(WAITS))
    assert len(list(filter(alive, noted(tmp_path)))) == 6
    process.send_signal(signum)
    out, err = process.communicate(timeout=20)
    result = json.loads(out)
    assert err == ""
    assert result["status"] == "stopped"
    assert [found["status"] for found in result["steps"]] == ["stopped", "stopped", "not-run"]
    assert not list(filter(alive, noted(tmp_path)))


def test_a_step_that_ignores_sigterm_is_killed_after_a_while(tmp_path: Path, started: Any) -> None:
    process = start(started, tmp_path, two(STUBBORN))
    process.send_signal(signal.SIGTERM)
    assert json.loads(process.communicate(timeout=20)[0])["status"] == "stopped"
    assert not list(filter(alive, noted(tmp_path)))


def test_a_step_that_ends_well_when_it_is_told_to_has_stopped(tmp_path: Path, started: Any) -> None:
    """It left no output, which would be a failure, and one to be tried again in an hour."""
    spec = two("signal.signal(signal.SIGTERM, lambda *_: os._exit(0))\n" + WAITS)
    for name in ("a", "b"):
        spec["components"][f"comp-{name}"]["outputDefinitions"]["artifacts"] = {"x": {"artifactType": {}}}
        spec["root"]["dag"]["tasks"][name]["retryPolicy"] = {"maxRetryCount": 3, "backoffDuration": "3600s"}
    process = start(started, tmp_path, spec)
    process.send_signal(signal.SIGTERM)
    result = json.loads(process.communicate(timeout=20)[0])
    assert [found["status"] for found in result["steps"]] == ["stopped", "stopped", "not-run"]


def test_the_second_interrupt_does_not_wait(tmp_path: Path, started: Any) -> None:
    """With a grace of ten minutes only the second signal can be what ends it."""
    runner = RUNNER.replace("here =", "local.runner.GRACE_SECONDS = 600; here =")
    (tmp_path / "package.json").write_text(json.dumps(two(STUBBORN)), encoding="utf-8")
    command = [sys.executable, "-c", runner, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])
    started.append(process)
    until(lambda: len(list(tmp_path.glob("ready-*"))) == 2)
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.3)
    process.send_signal(signal.SIGINT)
    assert json.loads(process.communicate(timeout=20)[0])["status"] == "stopped"
    assert not list(filter(alive, noted(tmp_path)))


def test_a_runner_that_is_shot_takes_its_steps_along(tmp_path: Path, started: Any) -> None:
    process = start(started, tmp_path, two(STUBBORN))
    process.kill()
    process.communicate()
    until(lambda: not list(filter(alive, noted(tmp_path))))


def test_an_ignored_signal_stays_ignored(tmp_path: Path, started: Any) -> None:
    """As under nohup: the terminal goes, the run goes on."""
    code = "pathlib.Path(f'ready-{os.getpid()}').touch(); wait_for('go')"
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = start(started, tmp_path, package(a=task(code), b=task(code)))
    finally:
        signal.signal(signal.SIGHUP, before)
    process.send_signal(signal.SIGHUP)
    (tmp_path / "go").touch()
    assert json.loads(process.communicate(timeout=20)[0])["status"] == "succeeded"


@pytest.mark.parametrize("ending", ["", "sys.exit(1)"], ids=["succeeds", "fails"])
def test_what_a_step_leaves_running_ends_with_it(tmp_path: Path, ending: str) -> None:
    """As in a container: the child goes with the step, the one that left its group at the run's end."""
    code = FAMILY + "pathlib.Path('pid').write_text(str(child.pid)); os.rename('pid', 'child')\n" + ending
    # A killed process may stay as a zombie, which has no command line.
    check = """
wait_for("child")
pid = pathlib.Path("child").read_text()
def running():
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False
end = time.monotonic() + 20
while running():
    assert time.monotonic() < end
    time.sleep(0.005)
"""
    spec = package(a=task(code), b=task(check))
    result = local.run(spec, arguments={}, folder=tmp_path / "runs", workdir=tmp_path, jobs=2)
    assert result.steps[1].status is local.Status.SUCCEEDED
    assert len(noted(tmp_path)) == 3
    assert not list(filter(alive, noted(tmp_path)))


def test_an_error_of_the_caller_stops_every_process(tmp_path: Path) -> None:
    """Such as a terminal that is gone when progress is shown."""

    def fail(event: local.Event) -> None:
        if isinstance(event, local.StepEnded):
            raise BrokenPipeError

    spec = package(a=task(WAITS.replace("f'ready-{os.getpid()}'", "'ready'")), b=task("wait_for('ready')"))
    with pytest.raises(BrokenPipeError):
        local.run(spec, arguments={}, folder=tmp_path / "runs", workdir=tmp_path, jobs=2, on_event=fail)
    assert len(noted(tmp_path)) == 3
    until(lambda: not any(map(alive, noted(tmp_path))))  # what was killed takes a moment on a busy machine


def test_signal_handlers_are_as_before(tmp_path: Path) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    local.run(package(a=task()), arguments={}, folder=tmp_path / "runs", workdir=tmp_path)
    assert [signal.getsignal(number) for number in numbers] == before


@pytest.mark.parametrize(
    ("lines", "killed"), [(["+{}\n"], True), (["+{}\n", "-{}\n"], False)], ids=["left", "taken back"]
)
def test_the_watchdog_kills_groups_also_where_environments_do_not_show(lines: list[str], killed: bool) -> None:
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        watchdog.watch("no-such-run", [line.format(process.pid) for line in lines])
        if killed:
            until(lambda: not alive(process.pid))
        assert alive(process.pid) is not killed
    finally:
        process.kill()
        process.wait()


def test_no_helper_process_stays(tmp_path: Path) -> None:
    local.run(package(a=task()), arguments={}, folder=tmp_path / "runs", workdir=tmp_path)
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="utf-8").split()
    assert not [pid for pid in children if "watchdog" in Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")]


def test_a_run_within_a_run_carries_both_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KALEC_RUNS", "outer-1")
    spec = package(a=task("print(os.environ['KALEC_RUNS'])"))
    result = local.run(spec, arguments={}, folder=tmp_path / "runs", workdir=tmp_path)
    assert (result.folder / "a" / "log.txt").read_text(encoding="utf-8") == f"outer-1 {result.run}\n"
