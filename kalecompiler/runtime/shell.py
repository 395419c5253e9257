"""What a step keeps of IPython: shell commands, and the magics that need the running step. Standard library only."""

from __future__ import annotations

import builtins
import codecs
import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import types
from string import Formatter
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

# `$name`, unless it stands in single quotes; `$$name` is `$name` for the shell.
_DOLLAR = re.compile(r"\$(\$?[\w.]+)(?=(?:[^']*'[^']*')*[^']*$)")
_SECRET = ("key", "token", "secret")


class CommandFailed(subprocess.CalledProcessError):
    """A command of the notebook ended with an exit status other than 0."""

    def __str__(self) -> str:
        cure = "write `command || true` if it may fail"
        return f"the command {self.cmd!r} failed with exit status {self.returncode}: {cure}"


class Lines(List[str]):
    """What a command printed: a list of lines, with IPython's views of it. Pickled, it is a plain list."""

    l = property(lambda self: self)  # noqa: E741
    n = nlstr = property("\n".join)
    s = spstr = property(" ".join)

    def __reduce_ex__(self, protocol: Any) -> Tuple[Any, ...]:
        return list, ([*self],)


class Shell:
    """What `get_ipython()` gives in a step."""

    def __init__(self, namespace: Dict[str, Any]) -> None:
        self.user_ns = namespace
        self._before = os.getcwd()

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"a step runs without IPython: there is no 'get_ipython().{name}'")

    def system(self, command: str) -> None:
        """Run a shell command, its output in the step's log as it comes; CommandFailed unless it ends with 0."""
        _run(_shell(expand(command, self._names())), _log)

    def getoutput(self, command: str) -> Lines:
        """The lines that a shell command prints, errors too; CommandFailed unless it ends with 0."""
        return Lines(_output(_shell(expand(command, self._names()))).splitlines())

    def script_output(self, program: str, text: str) -> str:
        """What a program prints that reads `text` as its standard input."""
        words, may_fail = _words(expand(program, self._names()))
        return _output(words, text, may_fail)

    def run_line_magic(self, name: str, line: str) -> Any:
        """`%env`, `%set_env`, `%cd`: all that the compiler leaves to the step."""
        if name not in ("env", "set_env", "cd"):
            raise NotImplementedError(f"a step cannot run the magic '%{name}': write it in Python")
        line = expand(line, self._names()).strip()
        return self._cd(line) if name == "cd" else _env(line)

    def run_cell_magic(self, name: str, line: str, cell: str) -> None:
        """`%%writefile`, or a program that reads the cell as its standard input."""
        line = expand(line, self._names())
        if name in ("writefile", "file"):
            _write(shlex.split(line), cell)
        else:
            words, may_fail = _words(line if name == "script" else f"{name} {line}")
            _run(words, _log, cell, may_fail)

    @contextlib.contextmanager
    def capture(self, flags: str = "") -> Iterator[types.SimpleNamespace]:
        """Keep what the block prints; where it fails, the log gets it."""
        result = types.SimpleNamespace(stdout="", stderr="", outputs=[])
        kept = {name: io.StringIO() for name in ("stdout", "stderr") if f"--no-{name}" not in flags}
        before = {name: getattr(sys, name) for name in kept}
        vars(sys).update(kept)
        try:
            yield result
        except BaseException:
            for name, text in kept.items():
                before[name].write(text.getvalue())
            raise
        finally:
            vars(sys).update(before)
            vars(result).update({name: text.getvalue() for name, text in kept.items()})

    def _names(self) -> Dict[str, Any]:
        """The notebook's names, and the local ones of the function that called this object's method."""
        return {**self.user_ns, **sys._getframe(2).f_locals}

    def _cd(self, folder: str) -> None:
        quiet, folder = folder.startswith("-q"), folder[2:].strip() if folder.startswith("-q") else folder
        here = os.getcwd()
        os.chdir(self._before if folder == "-" else os.path.expanduser(folder.strip("'\"") or "~"))
        self._before = here
        if not quiet:
            print(os.getcwd())


def start(step: Any, task: Any, kernel: Any) -> None:
    """Do so for the step."""
    install(kernel.namespace)


def install(namespace: Dict[str, Any]) -> None:
    """Give the notebook's code a `get_ipython`, whose commands read the names of `namespace`."""
    shell = Shell(namespace)
    vars(builtins)["get_ipython"] = lambda: shell


def expand(text: str, names: Dict[str, Any]) -> str:
    """`text` with each `{expression}` and `$name` replaced by its value; as it is where one of them has none."""
    done: List[str] = []
    try:
        for literal, field, spec, conversion in Formatter().parse(text):
            done.append(_DOLLAR.sub(lambda match: _dollar(match[1], names), literal))
            if field is not None:
                value = eval(f"{field}:{spec}" if spec else field, dict(names))
                done.append(format(Formatter().convert_field(value, conversion)))
    except Exception:  # whatever the expressions raise: the text is then the shell's own, as in IPython
        return text
    return "".join(done)


def _dollar(name: str, names: Dict[str, Any]) -> str:
    return name if name[0] == "$" else format(eval(name, dict(names)))


def _shell(command: str) -> List[str]:
    """The command line that has a shell run the command: bash where there is one."""
    if command.rstrip().endswith("&"):
        raise OSError(f"a step waits for its commands: {command!r} cannot run in the background")
    return [shutil.which("bash") or "sh", "-c", command]


def _words(program: str) -> Tuple[List[str], bool]:
    """A program's command line, and whether it may fail."""
    words = shlex.split(program)
    return [word for word in words if word != "--no-raise-error"], "--no-raise-error" in words


def _log(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _output(words: Sequence[str], text: str = "", may_fail: bool = False) -> str:
    printed: List[str] = []
    try:
        _run(words, printed.append, text, may_fail)
    except CommandFailed:
        _log("".join(printed))
        raise
    return "".join(printed)


def _run(words: Sequence[str], show: Callable[[str], Any], text: str = "", may_fail: bool = False) -> None:
    """Run a program with `text` as its input, and show what it prints as it comes."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    sys.stdout.flush()
    with tempfile.TemporaryFile() as source:
        source.write(text.encode())
        source.seek(0)
        with subprocess.Popen(words, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            try:
                for chunk in iter(lambda: process.stdout.read1(65536), b""):  # type: ignore[union-attr]
                    show(decoder.decode(chunk))
            except BaseException:  # the step is to stop, which would else wait for the command
                process.terminate()
                raise
    show(decoder.decode(b"", True))
    if process.returncode and not may_fail:
        raise CommandFailed(process.returncode, words[2] if words[1:2] == ["-c"] else shlex.join(words))


def _write(words: Sequence[str], text: str) -> None:
    names = [word for word in words if word not in ("-a", "--append")]
    if len(names) != 1:
        raise ValueError(f"'%%writefile' takes one path, and got {names}: quote one that has blanks")
    with open(os.path.expanduser(names[0]), "w" if len(words) == 1 else "a", encoding="utf-8") as file:
        file.write(text)


def _env(line: str) -> Any:
    """`NAME=VALUE` or `NAME VALUE` sets a variable, `NAME` reads it, nothing lists them."""
    name, separator, value = (part.strip() for part in line.partition("=" if "=" in line else " "))
    if separator or value:
        os.environ[name] = value
        return print(f"env: {name}={value}")
    if name:
        return os.environ[name]
    return {k: "<hidden>" if any(word in k.lower() for word in _SECRET) else v for k, v in os.environ.items()}
