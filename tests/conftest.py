"""Fixtures that tests of every kind share: what lies in ../shared, and goldens."""

from __future__ import annotations

import contextlib
import gc
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FIRST = (
    "test_value_table", "test_value_bonds", "test_generated", "test_travel_traces", "test_travel_state",
    "test_packages_of_notebooks", "test_report_browser",
)  # fmt: skip

# The tests write some 100,000 files, many of them with fsync: they lie in memory where there is room for them.
MEMORY = Path("/dev/shm")
ROOM = 6 * 2**30
# Where a machine, or a container, says how much memory there is: files, patterns of numbers, and their unit.
LIMITS = (
    ("/proc/meminfo", r"MemAvailable: *(\d+)", 1024),
    ("/sys/fs/cgroup/memory.max", r"\d+", 1),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", r"\d+", 1),
)

# In the background of a shell, or under nohup, the tests and all that they start would ignore what some of them send.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="write the goldens anew instead of comparing")


def pytest_configure(config: pytest.Config) -> None:
    """Temporary files of the tests, and of all that they start, go to memory; those of tests that passed go at once."""
    sys.dont_write_bytecode = False  # else every worker compiles all of this, and every process that is started
    if hasattr(config, "workerinput") or not _has_room(MEMORY):
        return
    for old in MEMORY.glob("kalec-tests-*"):  # of runs that failed, or were killed
        with contextlib.suppress(ValueError, PermissionError):
            if not Path("/proc", str(int(old.name.rpartition("-")[2]))).exists():
                shutil.rmtree(old, ignore_errors=True)
    folder = MEMORY / f"kalec-tests-{os.getpid()}"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o1777)  # as /tmp: some tests are an ordinary user for a while
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = None


def _has_room(folder: Path) -> bool:
    """Whether tests can write and run files there, and there is the memory for them."""
    if not sys.platform.startswith("linux") or not os.access(folder, os.W_OK):
        return False
    there = os.statvfs(folder)
    room = [there.f_bavail * there.f_frsize]
    for path, pattern, unit in LIMITS:
        with contextlib.suppress(OSError):
            room += [int(found) * unit for found in re.findall(pattern, Path(path).read_text())]
    return min(room) >= ROOM and not there.f_flag & os.ST_NOEXEC


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    folder = Path(tempfile.gettempdir())
    if exitstatus == 0 and folder == MEMORY / f"kalec-tests-{os.getpid()}":
        shutil.rmtree(folder, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files whose fixtures or tests take longest go first: workers steal from the end, and nothing is made twice."""
    items.sort(key=lambda item: FIRST.index(item.path.stem) if item.path.stem in FIRST else len(FIRST))


def pytest_collection_finish() -> None:
    """What was collected and imported stays to the end: looking through it for garbage took a quarter of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real notebooks and recordings (`KALEC_SHARED`, else ../shared); the test is skipped without it."""
    folder = Path(os.environ.get("KALEC_SHARED") or ROOT / ".." / "shared").resolve()
    if not folder.is_dir():
        pytest.skip("there is no ../shared here: set KALEC_SHARED")
    return folder


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compare text with a golden file, or write it with --update-goldens."""

    def compare(path: Path, text: str) -> None:
        if request.config.getoption("--update-goldens"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        assert path.exists(), f"no golden {path}: pytest --update-goldens"
        assert text == path.read_bytes().decode()

    return compare


@pytest.fixture
def ordinary_folder() -> Iterator[Path]:
    """A folder of an ordinary user, whose rights the test has too, even where root runs it."""
    nobody = 65534
    with tempfile.TemporaryDirectory() as folder:
        if os.geteuid() != 0:
            yield Path(folder)
            return
        if not hasattr(os, "setresuid"):
            pytest.skip("root cannot become an ordinary user for a while here")
        os.chown(folder, nobody, nobody)
        os.setresuid(nobody, nobody, 0)
        try:
            yield Path(folder)
        finally:
            os.setresuid(0, 0, 0)


@pytest.fixture(autouse=True)
def _own_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The same answers wherever the tests run."""
    gc.collect(0)  # else it may be due in a test that goes to the limit of recursion, where no finalizer can run
    ours = [name for name in os.environ if name.startswith("KALEC_") and name != "KALEC_SHARED"]
    ci = ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE", "GITLAB_CI", "CI_PROJECT_DIR")
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", *ci, *ours):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
