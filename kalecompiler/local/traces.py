"""What a step reads and reaches beside its inputs: files, lists of files, other programs, the network.

Run inside the step's process before its own program, by `prefix`; the standard library only, Python 3.9 and later, and
nothing of kalecompiler. An audit hook sees what Python itself opens. Files that compiled code opens are not seen by it:
what pyarrow and polars are told to open is taken from their functions (`compiledreads`), libraries in UNSEEN are named,
and others are missed. The report is JSON, written when the process ends by itself:
    {"files": [{"path", "digest", "mode": "read"|"write"|"append"|"list"|"remove"}],
     "network": bool, "programs": [...], "unseen": [...]}
`digest` is that of the content (of the names, for a list) when the step ended; null where others changed it meanwhile,
and for what was removed; ABSENT for what was not there when the step wanted to read it.
"""

from __future__ import annotations

import _thread
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
NETWORK = ("pycurl", "psycopg2", "psycopg_c", "psycopg_binary", "MySQLdb", "pyodbc", "connectorx")
# These open files in compiled code, and are hardly ever loaded for anything else.
UNSEEN = ("h5py", "netCDF4", "tables", "duckdb", "cv2", "rasterio", "fiona", "pyogrio", "osgeo", "lmdb", "pysam")
ABSENT = "absent"
# Asked by libraries about the machine, whatever the step does.
HARMLESS = frozenset({"lscpu", "uname", "ldconfig", "nproc", "fc-list", "file", "gcc", "ld", "objdump"})
SYSTEM = ("/usr/", "/lib", "/bin/", "/sbin/", "/dev/null")
# What of a prefix is Python's own: the prefix itself may be the folder of a project.
OWN = ("lib", "lib64", "bin", "include", "share", "Lib", "Scripts", "pyvenv.cfg")
# The part of the runtime that lists what is installed.
RUNTIME = "<kalec_runtime.snapshot>"
CONNECTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
LOOKED_AT = frozenset(
    {"polars", "pyarrow"}
    | {f"pyarrow.{name}" for name in ("csv", "json", "orc", "feather", "ipc", "dataset", "parquet.core", "fs")}
    | {f"pyarrow.{name}" for name in ("_s3fs", "_gcsfs", "_hdfs", "_azurefs")}
)
STARTS = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn"})
FORKS = frozenset({"os.fork", "os.forkpty"})
LISTS = frozenset({"os.listdir", "os.scandir"})
NAMES = frozenset({"os.rename", "os.link", "os.symlink"})  # source, destination, and what they are relative to


class Here(_thread._local):
    """Whether this thread is listing a folder on behalf of the traces, which is an event too."""

    busy = False


class Traces:
    """What was seen so far. `aside` are folders whose files are no business of the step's."""

    def __init__(self, aside: Iterable[str]) -> None:
        prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix}
        own = {os.path.join(prefix, name) for prefix in prefixes for name in OWN}
        own |= {os.path.dirname(os.__file__), *aside}
        self.aside = ("/proc/", "/sys/", "/dev/", *{os.path.join(os.path.abspath(path), "") for path in own})
        self.read: dict[str, None] = {}
        self.absent: dict[str, None] = {}
        self.written: dict[str, str] = {}  # write, append
        self.removed: dict[str, None] = {}
        self.listed: dict[str, str] = {}
        self.filled: dict[str, None] = {}  # folders that compiled code wrote files into
        self.databases: dict[str, Any] = {}  # size and time when opened
        self.unseen: dict[str, None] = {}
        self.programs: dict[str, None] = {}
        self.network = self.harmless = False
        self.started = time.time()
        self.owner = os.getpid()
        self.here = Here()

    def hook(self, event: str, arguments: Sequence[Any]) -> None:
        """Called by Python before it does something; must be quick, and never raise."""
        if event == "open":
            if arguments[0].__class__ is not int:
                self._opened(arguments[0], arguments[2])
        elif event in CONNECTS:
            self.network = True
        elif event in STARTS:
            self._ran(event, arguments)
        elif event in LISTS and not self.here.busy:
            self._listed(arguments[0])
        elif event in FORKS and os.getpid() == self.owner:
            self.programs["a child of its own"] = None  # what that opens is not seen here
        elif event in NAMES:
            self._named(event, *arguments)
        elif event == "os.remove":
            self._removed(self._path(*arguments))
        elif event == "os.truncate" and arguments[0].__class__ is not int:
            self._opened(arguments[0], os.O_RDWR)
        elif event == "sqlite3.connect":
            self._database(arguments[0])
        elif event == "ctypes.dlopen" and arguments[0] and os.path.isfile(os.fsdecode(arguments[0])):
            self._opened(arguments[0], os.O_RDONLY)

    def _opened(self, name: Any, flags: int) -> None:
        path = self._path(name)
        if not path or self._is_aside(path) or path.endswith(".pyc"):
            return
        if not flags & os.O_CREAT and path not in self.read and not os.path.lexists(path):
            if "importlib" not in sys._getframe(2).f_code.co_filename:
                self._missed(path)
            return
        if flags & 3 != 1 and not flags & (os.O_TRUNC | os.O_EXCL) and path not in self.written:  # 1 is os.O_WRONLY
            self.read[path] = None
        if flags & 3:
            appends = flags & os.O_APPEND and self.written.get(path) != "write"
            self.written[path] = "append" if appends else "write"

    def _missed(self, path: str) -> None:
        """It wanted a file that is not there: no news where it removed that itself, or of what packages lack."""
        if path not in self.written and path not in self.removed and "-packages/" not in path:
            self.absent[path] = None

    def _removed(self, path: str) -> None:
        if not path or self._is_aside(path):
            return
        if not os.path.lexists(path):
            self._missed(path)
        elif self.written.pop(path, None) is None or path in self.read:
            self.removed[path] = None  # it was there before this step

    def _named(self, event: str, source: Any, destination: Any, *places: int) -> None:
        """A file, or a folder of them, gets a name that it had not."""
        to = self._path(destination, places[-1])
        if event == "os.symlink" or not to:
            return self._has_written([to])
        path = self._path(source, places[0])
        if not path or not os.path.lexists(path):
            return None
        paths = self._below(path) if os.path.isdir(path) and not os.path.islink(path) else [path]
        self._has_written([to + one[len(path) :] for one in paths])
        for one in paths:
            if event == "os.rename":
                self._removed(one)
            elif one not in self.written and not self._is_aside(one):
                self.read[one] = None
        return None

    def _has_written(self, paths: Iterable[str]) -> None:
        self.written.update(
            (path, "write") for path in paths if path and not self._is_aside(path) and path[-4:] != ".pyc"
        )

    def _below(self, folder: str) -> list[str]:
        """The files in a folder, and in those in it."""
        busy, self.here.busy = self.here.busy, True
        try:
            return [os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names]
        finally:
            self.here.busy = busy

    def _database(self, name: Any) -> None:
        """SQLite opens its files itself, and tells their names before."""
        try:
            name = os.fsdecode(name)
        except TypeError:
            return
        name, _, query = name.partition("?") if name.startswith("file:") else (name, "", "")
        if name.startswith("file:"):
            from urllib.parse import unquote

            name = unquote(name[5:])
            name = "/" + name[2:].partition("/")[2] if name.startswith("//") else name
        path = self._path(name) if name and name != ":memory:" and "mode=memory" not in query else ""
        if path and path not in self.databases and not self._is_aside(path):
            self.databases[path] = _look(path)
            if self.databases[path] and path not in self.written:
                self.read[path] = None

    def touched(self, name: Any, mode: str) -> None:
        """Compiled code is about to read (`read`) or write a file, or the files of a folder: `compiledreads` tells."""
        path = self._path(name)
        if mode != "read":
            self.filled[path] = None
            self._opened(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        elif os.path.isdir(path) and not self._is_aside(path + "/"):
            for one in self._below(path):
                self._opened(one, os.O_RDONLY)
                self._list(os.path.dirname(one))
            self._list(path)
        else:
            self._opened(path, os.O_RDONLY)

    def _is_aside(self, path: str) -> bool:
        if path.startswith(self.aside):
            return not path.startswith("/dev/shm/")  # noqa: S108 that is memory which is shared by name
        return path + "/" in self.aside

    def _listed(self, name: Any) -> None:
        asking = sys._getframe(2).f_code.co_filename
        if "importlib" in asking or asking == RUNTIME:
            return
        self._list(self._path("." if name is None else name))

    def _list(self, path: str) -> None:
        if not path or self._is_aside(path + "/") or path in self.listed:
            return
        self.here.busy = True
        try:
            self.listed[path] = names_digest(path, self.written)
        except OSError:
            pass
        finally:
            self.here.busy = False

    def _ran(self, event: str, arguments: Sequence[Any]) -> None:
        try:
            words = arguments[1] if event == "subprocess.Popen" else arguments[0]
            if event == "os.system":  # its other words may be anything, also a secret
                self.programs[os.fsdecode(words.split()[0])[:200]] = None
                return
            words = [words] if isinstance(words, (str, bytes, os.PathLike)) else list(words)
            first = os.fsdecode(words[0])
            if self._is_harmless(first, words[1:]) or [os.fsdecode(word) for word in words[1:3]] == ["-m", "pip"]:
                self.harmless = True
            else:
                self.programs[first[:200]] = None
        except (TypeError, ValueError, IndexError):
            self.programs["?"] = None

    def _is_harmless(self, program: str, words: Sequence[Any]) -> bool:
        """Whether a program of the system is only asked about the machine, and not about a file of the user's."""
        folder, name = os.path.split(program)
        if name not in HARMLESS or folder not in ("", "/bin", "/sbin", "/usr/bin", "/usr/sbin"):
            return False
        paths = [os.path.abspath(os.fsdecode(word)) for word in words if os.path.isfile(word)]
        return all(path in self.written or path.startswith(SYSTEM) or self._is_aside(path) for path in paths)

    def _path(self, name: Any, place: int = -1) -> str:
        """A name as an absolute path; `place` is the open folder that it is relative to, if not -1."""
        try:
            near = "" if place in (-1, None) else os.readlink(f"/proc/self/fd/{place}")
            return os.path.abspath(os.path.join(near, os.fsdecode(name)))
        except (TypeError, ValueError, OSError):  # a number; the working directory is gone
            return ""

    def report(self, target: str) -> None:
        """Write what was seen. A forked child has nothing to say."""
        if os.getpid() != self.owner:
            return
        self.here.busy = True
        self._look_again()
        files = [self._file(path, "read") for path in list(self.read)]
        files += [self._file(path, mode) for path, mode in list(self.written.items())]
        files += [
            {"path": path, "digest": ABSENT, "mode": "read"} for path in list(self.absent) if path not in self.written
        ]
        files += [
            {"path": path, "digest": None, "mode": "remove"} for path in list(self.removed) if not os.path.exists(path)
        ]
        files += [{"path": path, "digest": digest, "mode": "list"} for path, digest in list(self.listed.items())]
        if not self.programs and not self.harmless and _had_children():
            self.programs["a child of its own"] = None
        network = self.network or any(name in sys.modules for name in NETWORK)
        if "pyarrow.parquet" in sys.modules and "pyarrow.parquet.core" not in sys.modules:  # it is an old one
            self.unseen["pyarrow"] = None
        unseen = [*self.unseen, *(name for name in UNSEEN if name in sys.modules)]
        found = {"files": [file for file in files if file], "network": network, "programs": list(self.programs)}
        found["unseen"] = unseen
        with open(f"{target}.part", "w", encoding="utf-8", errors="backslashreplace") as stream:
            json.dump(found, stream)
        os.replace(f"{target}.part", target)

    def _look_again(self) -> None:
        """What compiled code wrote: databases that are others now, and new files in the folders that it was given."""
        for path, before in list(self.databases.items()):
            if before != _look(path):
                self.written[path] = "write"
        for folder in filter(os.path.isdir, list(self.filled)):
            new = [path for path in self._below(folder) if (_look(path) or (0, 0))[1] > self.started]
            self._has_written(path for path in new if path not in self.written)

    def _file(self, path: str, mode: str) -> Any:
        """A file as the report has it; None for one that is none (any more)."""
        try:
            if not os.path.isfile(path):
                return None
            changed = path not in self.written and os.stat(path).st_mtime > self.started
            return {"path": path, "digest": None if changed else content_digest(path), "mode": mode}
        except OSError:
            return {"path": path, "digest": None, "mode": mode}


def _look(path: str) -> tuple[int, float] | None:
    """The size of a file, and when it was written; None where it is not there."""
    try:
        there = os.stat(path)
    except OSError:
        return None
    return there.st_size, there.st_mtime


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


class Finder:
    """Has `compiledreads` look at what is imported under the names in LOOKED_AT, before anybody uses it."""

    def __init__(self, traces: Traces, program: str) -> None:
        self.traces, self.program = traces, program

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Find a module as the others do."""
        if name not in LOOKED_AT:
            return None
        found = (other.find_spec(name, path, target) for other in sys.meta_path if other is not self)
        spec = next(filter(None, found), None)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            self._look_after(spec.loader)
        return spec

    def _look_after(self, loader: Any) -> None:
        load = loader.exec_module

        def exec_module(module: Any) -> None:
            load(module)
            try:
                names = load_program(self.program)
                names["look"](module, self.traces)
            except Exception:  # noqa: BLE001 another version than is known
                self.traces.unseen[module.__name__.partition(".")[0]] = None

        try:
            loader.exec_module = exec_module
        except AttributeError:
            self.traces.unseen["a module that is loaded in a way of its own"] = None


def load_program(path: str) -> dict[str, Any]:
    """The names of a file of Python that is no module of the step's."""
    from importlib.machinery import SourceFileLoader

    names: dict[str, Any] = {"__name__": "kalec_traces"}
    exec(SourceFileLoader("kalec_traces", path).get_code("kalec_traces"), names)  # type: ignore[arg-type]  # noqa: S102
    return names


def prefix(target: str, aside: Sequence[str]) -> str:
    """Python text that starts the recording, to be put before a step's program; it leaves no name behind.

    `target` is where the report goes, `aside` folders that do not count. Where anything fails there is no report.
    """
    other = os.path.join(os.path.dirname(__file__), "compiledreads.py")
    load = '__import__("_frozen_importlib_external").SourceFileLoader("kalec_traces",p).get_code("kalec_traces")'
    begin = f'n["start"]({target!r},{list(aside)!r},{other!r})'
    return f'(lambda p,n:(exec({load},n),{begin}))({__file__!r},{{"__name__":"kalec_traces"}})\n'


def start(target: str, aside: Sequence[str], program: str) -> None:
    """Record from now on, until the process ends; `program` is the file `compiledreads.py`."""
    traces = Traces([*aside, os.path.dirname(program)])
    atexit.register(traces.report, target)
    sys.meta_path.insert(0, Finder(traces, program))
    sys.addaudithook(traces.hook)
