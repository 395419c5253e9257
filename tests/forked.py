"""Programs of steps in forks of a process that has imported what they import, which takes most of their time.

A fork runs the text as `python -u -c TEXT` would, with the same arguments, variables and folder, as the leader of a
session of its own. What it cannot show: that a program imports all that it needs, and that nothing hangs on the seed of
hashes. So what is forked here runs in real processes elsewhere: in another test, or by the other engine.
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
import tempfile
import threading
import traceback
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import oracle

from kalecompiler import local
from kalecompiler.local import processes

if TYPE_CHECKING:
    from typing_extensions import Self

TESTS = str(Path(__file__).parent)
# Each package's output follows a line that names it.
KFP_LOCAL = """
import sys
import forked
from kfp import components, local
forked.of_kfp()
local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=sys.argv[1])
failed = 0
for path in sys.argv[2:]:
    print("\\n@@@" + path)
    try:
        components.load_component_from_file(path)()
    except Exception as error:
        print(f"\\n{type(error).__name__}: {error}")
        failed = 1
sys.exit(failed)
"""


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


class _Piped(Fork):
    """The same for kfp.local, which reads what its steps print."""

    def __init__(self, command: Sequence[str], **how: Any) -> None:
        reader, writer = os.pipe()
        super().__init__(command, writer, Path.cwd(), how["env"] or dict(os.environ))
        os.close(writer)
        self.stdout = io.TextIOWrapper(io.FileIO(reader), encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stdout.close()
        self.wait()


def run(spec: Mapping[str, Any], **how: Any) -> local.RunResult:
    """`local.run`, whose steps are forked from the process that is kept for what is forked."""
    return oracle.apart(_run_forked, spec, how)


def _run_forked(spec: Mapping[str, Any], how: Mapping[str, Any]) -> local.RunResult:
    with steps():
        return local.run(spec, **how)


def run_by_kfp(folder: Path, *packages: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run packages by kfp.local, one after the other; that, and the steps, are forks of the same process.

    What each package printed follows a line of `@@@` and its path. `folder` is where outputs go.
    """
    return oracle.apart(_run_by_kfp, [str(folder), *map(str, packages)], cwd)


def _run_by_kfp(arguments: Sequence[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryFile() as log:
        status = Fork([sys.executable, "-u", "-c", KFP_LOCAL, *arguments], log.fileno(), cwd, dict(os.environ)).wait()
        log.seek(0)
        return subprocess.CompletedProcess(arguments, status, log.read().decode())


def of_kfp() -> None:
    """From now on kfp.local, in this process, forks its steps."""
    from kfp.local import subprocess_task_handler as handler

    handler.subprocess = types.SimpleNamespace(Popen=_Piped, PIPE=None, STDOUT=None)


@contextlib.contextmanager
def steps() -> Iterator[None]:
    """Meanwhile the runner of steps, in this process, forks them."""

    def start(command: Sequence[str], **how: Any) -> Any:
        if list(command[:3]) != [sys.executable, "-u", "-c"]:
            return subprocess.Popen(command, **how)  # the watchdog
        return Fork(command, how["stdout"].fileno(), how["cwd"], how["env"])

    with mock.patch.object(processes, "subprocess", types.SimpleNamespace(**vars(subprocess) | {"Popen": start})):
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
