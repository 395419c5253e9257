"""Steps as processes: each leads a group of its own, writes straight to its log file, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

from kalecompiler.local import watchdog

# Where it is missing (Windows) a step's own children are not followed.
_HAS_GROUPS = hasattr(os, "killpg")
_STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class Processes:
    """The running processes of a run, by key; made by `processes()`."""

    def __init__(self, run: str, guard: subprocess.Popen[bytes] | None) -> None:
        self._run, self._guard = run, guard
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __len__(self) -> int:
        return len(self._running)

    def start(
        self,
        key: str,
        command: Sequence[str],
        *,
        log: Path,
        cwd: Path,
        env: Mapping[str, str],
        ended: Callable[[str], None],
    ) -> None:
        """Start a process under `key`, all that it prints going to `log`; `ended(key)` is called, from a thread, when
        it is over, and wants a `collect(key)`. Raises OSError or ValueError where it cannot be started."""
        mark = f"{os.environ.get(watchdog.MARK, '')} {self._run}".strip()
        with log.open("wb") as file:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env={**env, watchdog.MARK: mark},
                start_new_session=True,
            )
        self._running[key] = process
        self._tell_watchdog("+", process.pid)
        threading.Thread(target=_await_end, args=(process, key, ended), daemon=True).start()

    def send(self, signum: int, key: str | None = None) -> None:
        """Send a signal to every running process and all of its children, or to that under `key`."""
        for name, process in self._running.items():
            if key not in (None, name):
                continue
            if _HAS_GROUPS:
                watchdog.kill_group(process.pid, signum)
            else:
                process.send_signal(signum)

    def collect(self, key: str) -> int:
        """The exit status of a process that ended (negative: killed by that signal); it is then forgotten."""
        process = self._running[key]
        status = process.wait()
        del self._running[key]
        self._tell_watchdog("-", process.pid)
        return status

    def close(self) -> None:
        """Kill and collect all that is left, also what left its process group."""
        self.send(signal.SIGKILL if _HAS_GROUPS else signal.SIGTERM)
        for key in tuple(self._running):
            self.collect(key)
        watchdog.kill_strays(self._run)

    def _tell_watchdog(self, sign: str, pid: int) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._guard.stdin.write(f"{sign}{pid}\n".encode())


@contextlib.contextmanager
def processes(run: str) -> Iterator[Processes]:
    """The processes of a run, none yet. At the end nothing that was started is alive, however the end came."""
    guard = _start_watchdog(run) if _HAS_GROUPS else None
    running = Processes(run, guard)
    try:
        yield running
    finally:
        running.close()
        if guard is not None:
            guard.kill()
            guard.communicate()


@contextlib.contextmanager
def stop_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop()` on Ctrl-C, SIGTERM and SIGHUP instead of what they do else; signals that are ignored stay so.

    Only a process's main thread gets signals: elsewhere this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(signum: int, frame: FrameType | None) -> None:
        stop()

    numbers = [getattr(signal, name) for name in _STOP_SIGNALS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    caught = {number: old for number, old in before.items() if old is not signal.SIG_IGN and old is not None}
    for number in caught:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, old in caught.items():
            signal.signal(number, old)


def _await_end(process: subprocess.Popen[bytes], key: str, ended: Callable[[str], None]) -> None:
    """Wait for a process, and kill what it left behind, as a container's end does.

    While the process is only a zombie its number cannot be given to another one: it is collected after that.
    """
    if hasattr(os, "waitid"):
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        watchdog.kill_group(process.pid, signal.SIGKILL)
    else:
        process.wait()
        if _HAS_GROUPS:
            watchdog.kill_group(process.pid, signal.SIGKILL)
    ended(key)


def _start_watchdog(run: str) -> subprocess.Popen[bytes]:
    """The watchdog, in a session of its own, so that what hits the runner's group does not hit it too."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", watchdog.__file__, run],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        bufsize=0,
        start_new_session=True,
    )
