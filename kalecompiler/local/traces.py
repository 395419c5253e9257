"""What a step reads and reaches beside its inputs: files, lists of files, other programs, the network.

Run inside the step's process before its own program, by `prefix`; the standard library only, Python 3.9 and later, and
nothing of kalecompiler. An audit hook sees what Python itself opens; a library that opens files or connects in compiled
code is not seen, but for those in NETWORK. The report is JSON, written when the process ends by itself:
    {"files": [{"path", "digest", "mode": "read"|"write"|"append"|"list"}], "network": bool, "programs": [...]}
`digest` is that of the content (of the names, for a list) when the step ended; null where others changed it meanwhile.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

# These connect in compiled code, where no hook sees it.
NETWORK = ("pycurl", "psycopg2", "psycopg_c", "psycopg_binary", "MySQLdb", "pyodbc", "pyarrow._s3fs", "pyarrow._gcsfs")
# Asked by libraries about the machine, whatever the step does.
HARMLESS = frozenset({"lscpu", "uname", "ldconfig", "/sbin/ldconfig", "nproc", "file", "gcc", "ld", "objdump"})
# The part of the runtime that lists what is installed.
RUNTIME = "<kalec_runtime.snapshot>"
CONNECTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
STARTS = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn"})
FORKS = frozenset({"os.fork", "os.forkpty"})
LISTS = frozenset({"os.listdir", "os.scandir"})


class Traces:
    """What was seen so far. `aside` are folders whose files are no business of the step's."""

    def __init__(self, aside: Iterable[str]) -> None:
        own = (sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(os.__file__), *aside)
        self.aside = ("/proc/", "/sys/", "/dev/", *{os.path.join(os.path.abspath(path), "") for path in own})
        self.read: dict[str, None] = {}
        self.written: dict[str, str] = {}  # write, append
        self.listed: dict[str, str] = {}
        self.programs: dict[str, None] = {}
        self.network = self.harmless = False
        self.started = time.time()
        self.owner = os.getpid()
        self.busy = False

    def hook(self, event: str, arguments: Sequence[Any]) -> None:
        """Called by Python before it does something; must be quick, and never raise."""
        if event == "open":
            if arguments[0].__class__ is not int:
                self._opened(arguments[0], arguments[2])
        elif event in CONNECTS:
            self.network = True
        elif event in STARTS:
            self._ran(event, arguments)
        elif event in LISTS and not self.busy:
            self._listed(arguments[0])
        elif event in FORKS and os.getpid() == self.owner:
            self.programs["a child of its own"] = None  # what that opens is not seen here

    def _opened(self, name: Any, flags: int) -> None:
        path = self._path(name)
        if not path or path.startswith(self.aside) or path.endswith(".pyc"):
            return
        if flags & 3 != 1 and not flags & os.O_TRUNC and path not in self.written:  # 1 is os.O_WRONLY
            self.read[path] = None
        if flags & 3:
            appends = flags & os.O_APPEND and self.written.get(path) != "write"
            self.written[path] = "append" if appends else "write"

    def _listed(self, name: Any) -> None:
        asking = sys._getframe(2).f_code.co_filename
        if "importlib" in asking or asking == RUNTIME:
            return
        path = self._path("." if name is None else name)
        if not path or (path + "/").startswith(self.aside) or path in self.listed:
            return
        self.busy = True  # to list it is an event too
        try:
            self.listed[path] = names_digest(path, self.written)
        except OSError:
            pass
        finally:
            self.busy = False

    def _ran(self, event: str, arguments: Sequence[Any]) -> None:
        try:
            words = arguments[1] if event == "subprocess.Popen" else arguments[0]
            words = [words] if isinstance(words, (str, bytes, os.PathLike)) else list(words)
            first = os.fsdecode(words[0])
            if first in HARMLESS or [os.fsdecode(word) for word in words[1:3]] == ["-m", "pip"]:
                self.harmless = True
            else:
                self.programs[first[:200]] = None
        except (TypeError, ValueError, IndexError):
            self.programs["?"] = None

    def _path(self, name: Any) -> str:
        try:
            return os.path.abspath(os.fsdecode(name))
        except (TypeError, ValueError, OSError):  # a number; the working directory is gone
            return ""

    def report(self, target: str) -> None:
        """Write what was seen. A forked child has nothing to say."""
        if os.getpid() != self.owner:
            return
        self.busy = True
        files = [self._file(path, "read") for path in list(self.read)]
        files += [self._file(path, mode) for path, mode in list(self.written.items())]
        files += [{"path": path, "digest": digest, "mode": "list"} for path, digest in list(self.listed.items())]
        if not self.programs and not self.harmless and _had_children():
            self.programs["a child of its own"] = None
        network = self.network or any(name in sys.modules for name in NETWORK)
        found = {"files": [file for file in files if file], "network": network, "programs": list(self.programs)}
        with open(f"{target}.part", "w", encoding="utf-8", errors="backslashreplace") as stream:
            json.dump(found, stream)
        os.replace(f"{target}.part", target)

    def _file(self, path: str, mode: str) -> Any:
        """A file as the report has it; None for one that is none (any more)."""
        try:
            if not os.path.isfile(path):
                return None
            changed = path not in self.written and os.stat(path).st_mtime > self.started
            return {"path": path, "digest": None if changed else content_digest(path), "mode": mode}
        except OSError:
            return {"path": path, "digest": None, "mode": mode}


def _had_children() -> bool:
    """Whether other processes worked for this one, however they were started."""
    try:
        import resource
    except ImportError:
        return False
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime > 0


def content_digest(path: str) -> str:
    """The digest of a file. Raises OSError."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while True:
            piece = file.read(1 << 20)
            if not piece:
                return "sha256:" + found.hexdigest()
            found.update(piece)


def names_digest(folder: str, without: Iterable[str] = ()) -> str:
    """The digest of the names in a folder, hidden ones and those of the paths `without` left out. Raises OSError."""
    own = {os.path.basename(path) for path in without if os.path.dirname(path) == folder}
    names = sorted(n for n in os.listdir(folder) if n not in own and not n.startswith(".") and n != "__pycache__")
    return "sha256:" + hashlib.sha256("\0".join(names).encode("utf-8", "surrogateescape")).hexdigest()


def prefix(target: str, aside: Sequence[str]) -> str:
    """Python text that starts the recording, to be put before a step's program; it leaves no name behind.

    `target` is where the report goes, `aside` folders that do not count. Where anything fails there is no report.
    """
    load = '__import__("_frozen_importlib_external").SourceFileLoader("kalec_traces",p).get_code("kalec_traces")'
    begin = f'n["start"]({target!r},{list(aside)!r})'
    return f'(lambda p,n:(exec({load},n),{begin}))({__file__!r},{{"__name__":"kalec_traces"}})\n'


def start(target: str, aside: Sequence[str]) -> None:
    """Record from now on, until the process ends."""
    traces = Traces(aside)
    atexit.register(traces.report, target)
    sys.addaudithook(traces.hook)
