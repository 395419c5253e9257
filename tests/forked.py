"""Programs of steps in forks of a process that has imported what they import, which takes most of their time.

A fork runs the text as `python -u -c TEXT` would, with the same arguments, variables and folder, as the leader of a
session of its own. Tests of what a process is (what it imports and reads, how it ends) start real ones.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import io
import os
import random
import signal
import subprocess
import sys
import threading
import traceback
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from kalecompiler.local import processes

TESTS = str(Path(__file__).parent)


class Fork:
    """A fork that runs `python -u -c TEXT ARGUMENT...`: what the runner of steps needs of a `subprocess.Popen`."""

    def __init__(self, command: Sequence[str], output: int, cwd: Path, env: Mapping[str, str]) -> None:
        self._status: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                _become(output, cwd, env)
                status = _run(*command[3:])
            finally:
                os._exit(status)

    def wait(self) -> int:
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._status


@contextlib.contextmanager
def steps() -> Iterator[None]:
    """Meanwhile the runner of steps, in this process, forks them."""

    def start(command: Sequence[str], **how: Any) -> Any:
        if list(command[:3]) != [sys.executable, "-u", "-c"]:
            return subprocess.Popen(command, **how)  # the watchdog
        return Fork(command, how["stdout"].fileno(), how["cwd"], how["env"])

    names = {name: getattr(subprocess, name) for name in ("DEVNULL", "PIPE", "STDOUT")}
    with mock.patch.object(processes, "subprocess", types.SimpleNamespace(Popen=start, **names)):
        yield


def _become(output: int, cwd: Path, env: Mapping[str, str]) -> None:
    """Make a fork what a new process is, all that it prints going to `output`."""
    os.setsid()
    for number, handler in ((signal.SIGTERM, signal.SIG_DFL), (signal.SIGHUP, signal.SIG_DFL)):
        signal.signal(number, handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(1, 2)
    os.closerange(3, 1024)
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8")
    for name, errors in (("stdout", "strict"), ("stderr", "backslashreplace")):
        stream = io.FileIO(1 if name == "stdout" else 2, "w", closefd=False)
        text = io.TextIOWrapper(stream, encoding="utf-8", errors=errors, write_through=True)
        setattr(sys, name, text)
        setattr(sys, f"__{name}__", text)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.path[:] = ["", *(path for path in sys.path if path != TESTS)]
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    atexit._clear()


def _run(program: str, *arguments: str) -> int:
    """Run the text of a program to its end, with all that waits for that; its exit status."""
    sys.argv[:] = ["-c", *arguments]
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    vars(main)["__builtins__"] = builtins
    status: Any = 0
    try:
        exec(compile(program, "<string>", "exec"), vars(main))
    except SystemExit as end:
        status = end.code
    except BaseException:
        traceback.print_exc()
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    if status is not None and not isinstance(status, int):
        print(status, file=sys.stderr)
    return status if isinstance(status, int) else int(status is not None)
