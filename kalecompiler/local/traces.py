"""What a step reads and reaches beside its inputs: files, lists of files, other programs, the network.

Run inside the step's process before its own program, by `prefix`; the standard library only, Python 3.9 and later, and
nothing of kalecompiler. An audit hook sees what Python itself opens, `unannounced` what it is not told of. Files that
compiled code opens are not seen: what pyarrow and polars are told to open is taken from their functions
(`compiledreads`), libraries in UNSEEN are named, and others are missed. The report is JSON, written when the process
ends by itself:
    {"files": [{"path", "digest", "mode": "read"|"write"|"append"|"list"|"remove"|"link", "absolute": true}],
      "folder": "...", "network": bool, "programs": [...], "unseen": [...]}
`digest` of what was read is that of the content when it was first opened (of a list the names, of a link where it
leads), and null where that is not known, or others changed it meanwhile; of what was written that when the step ended;
null for what was removed; ABSENT for what was not there when the step wanted to read it. `absolute` is said of a path
that was not, or not always, named relative to `folder`, in which the step began.
"""

from __future__ import annotations

import _thread
import hashlib
import os
import stat
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

ABSENT = "absent"
# Asked by libraries about the machine, whatever the step does.
HARMLESS = frozenset({"lscpu", "uname", "ldconfig", "nproc", "fc-list", "file", "gcc", "ld", "objdump"})
TRACKER = "resource_tracker import main"  # multiprocessing's and loky's, which removes what others leave
SYSTEM = ("/usr/", "/lib", "/bin/", "/sbin/", "/dev/null")
# What of a prefix is Python's own: the prefix itself may be the folder of a project.
OWN = ("lib", "lib64", "bin", "include", "share", "Lib", "Scripts", "pyvenv.cfg")
# The part of the runtime that lists what is installed.
RUNTIME = "<kalec_runtime.snapshot>"
CONNECTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
STARTS = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn"})
FORKS = frozenset({"os.fork", "os.forkpty"})
LISTS = frozenset({"os.listdir", "os.scandir"})
RARER = frozenset({"os.mkdir", "os.chdir", "os.remove", "os.truncate", "sqlite3.connect/handle", "ctypes.dlopen"})
NAMES = frozenset({"os.rename", "os.link", "os.symlink"})  # source, destination, and what they are relative to
# Files up to these bytes are hashed when they are opened, and when they are about to be changed.
SMALL, LARGE = 1 << 20, 1 << 28


class Here(_thread._local):
    """Whether this thread is listing a folder on behalf of the traces, which is an event too."""

    busy = False


class Traces:
    """What was seen so far. `aside` are folders whose files are no business of the step's."""

    def __init__(self, aside: Iterable[str]) -> None:
        prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix}
        own = {os.path.join(prefix, name) for prefix in prefixes for name in OWN}
        own |= {os.path.dirname(os.__file__), *aside}
        self.own = tuple({os.path.join(os.path.abspath(path), "") for path in own})
        self.aside = ("/proc/", "/sys/", "/dev/", *self.own)
        self.read: dict[str, tuple[Any, str | None]] = {}  # as `_look` saw it, and its digest where it is known
        self.bases: dict[str, tuple[Any, str | None]] = {}  # the same of what it first appended to
        self.absent: dict[str, None] = {}
        self.written: dict[str, str] = {}  # write, append
        self.removed: dict[str, None] = {}
        self.listed: dict[str, str] = {}
        self.made: set[str] = set()  # folders, links
        self.filled: dict[str, None] = {}  # folders that compiled code wrote files into
        self.links: dict[str, str] = {}  # where they lead
        self.places: dict[int, int] = {}  # by thread: the open folder that the name about to be opened is relative to
        self.connecting = 0  # to SQLite, in the way that is looked at
        self.before: list[Callable[[], None]] = []  # called before the report is made
        self.more: list[Callable[[], list[Any]]] = []  # what is in it as well
        self.unseen: dict[str, None] = {}
        self.programs: dict[str, None] = {}
        self.network = self.harmless = self.linked = False
        self.hashed: set[str] = set()  # at this moment: that is an event too
        self.absolute: set[str] = set()
        self.elsewhere = False
        self.folder = self._path(".")
        self.started = time.time_ns()
        self.importing = frozenset(map(os.path.abspath, sys.path))
        self.owner = os.getpid()
        self.here = Here()

    def hook(self, event: str, arguments: Sequence[Any]) -> None:
        """Called by Python before it does something; must be quick, and never raise."""
        if event == "open":
            name = arguments[0]
            if name.__class__ is not int and not (name.__class__ is str and name in self.hashed):
                for one in self._names(name):
                    self._opened(one, arguments[2])
        elif event in CONNECTS:
            self.network = True
        elif event in STARTS:
            self.ran(arguments[0], arguments[0] if event == "os.system" else arguments[1])
        elif event in LISTS and not self.here.busy:
            self._listed(arguments[0])
        elif event in FORKS and os.getpid() == self.owner:
            self.programs["a child of its own"] = None  # what that opens is not seen here
        elif event in NAMES:
            self._named(event, *arguments)
        elif event in RARER:
            self._rarer(event, arguments)

    def _rarer(self, event: str, arguments: Sequence[Any]) -> None:
        if event == "os.mkdir":
            self.made.add(self._path(arguments[0], arguments[2]))
        elif event == "os.chdir":
            self.elsewhere = True  # from here on a relative name may mean another place
        elif event == "os.remove":
            self._removed(self._path(*arguments))
        elif event == "os.truncate" and arguments[0].__class__ is not int:
            self._opened(arguments[0], os.O_RDWR)
        elif event == "sqlite3.connect/handle" and not self.connecting:
            self.unseen["SQLite"] = None  # nobody looks at what is attached to this one
        elif event == "ctypes.dlopen" and arguments[0] and os.path.isfile(os.fsdecode(arguments[0])):
            self._opened(arguments[0], os.O_RDONLY)

    def _opened(self, name: Any, flags: int) -> None:
        path = self._path(name)
        if path.endswith(".pyc") and (source := self._source(path)):
            if flags & 3 or "-packages/" in source or not os.path.exists(source):
                return
            if path in self.absolute:
                self.absolute.add(source)
            path = source  # of which Python asked only the date
        if not path or self._is_aside(path):
            return
        if not flags & os.O_CREAT and path not in self.read and not os.path.lexists(path):
            if "importlib" not in sys._getframe(2).f_code.co_filename:
                self._missed(path)
            return
        if flags & 3 != 1 and not flags & (os.O_TRUNC | os.O_EXCL):  # 1 is os.O_WRONLY
            self._reads(path)
        if flags & 3:
            appends = flags & os.O_APPEND and self.written.get(path) != "write"
            self._changes(path, bool(appends))
            self.written[path] = "append" if appends else "write"

    def _reads(self, path: str, limit: int = SMALL) -> None:
        """It is about to read a file: what that is now, unless it is what the step made itself."""
        if path in self.read:
            return
        if path in self.written:
            if path in self.bases and self.written[path] == "append":
                self.read[path] = self.bases[path]
            return
        self.read[path] = self._state(path, limit)

    def _changes(self, path: str, appends: bool = False) -> None:
        """It is about to change a file: the last moment at which what it read can be hashed."""
        look, digest = self.read.get(path, (None, None))
        if look and not digest and path not in self.written:
            found = self._state(path, LARGE)
            self.read[path] = found if found[0] == look else (look, None)
        elif appends and path not in self.read and path not in self.written and os.path.isfile(path):
            self._reads(path)
            self.bases[path] = self.read.pop(path)

    def _missed(self, path: str) -> None:
        """It wanted a file that is not there: no news where it removed that itself, or of what packages lack."""
        if path not in self.written and path not in self.removed and "-packages/" not in path:
            self.absent[path] = None

    def _state(self, path: str, limit: int) -> tuple[Any, str | None]:
        """A file as `_look` sees it now, and its digest; without one where it is larger, no file, or just changed."""
        look, digest = _look(path), None
        if not look or look[0] > limit or not stat.S_ISREG(look[3]) or os.getpid() != self.owner:
            return look, None
        self.hashed.add(path)
        try:
            digest = content_digest(path)
        except OSError:
            pass
        finally:
            self.hashed.discard(path)
        return look, digest if look == _look(path) else None

    def _removed(self, path: str) -> None:
        if not path or self._is_aside(path):
            return
        if not os.path.lexists(path):
            self._missed(path)
            return
        self._changes(path)
        if self.written.pop(path, None) is None or path in self.read:
            self.removed[path] = None  # it was there before this step

    def _named(self, event: str, source: Any, destination: Any, *places: int) -> None:
        """A file, or a folder of them, gets a name that it had not."""
        to = self._path(destination, places[-1])
        if event == "os.symlink" or not to:
            self.linked = True
            self.made.add(to)
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
                self._reads(one)
        return None

    def _has_written(self, paths: Iterable[str]) -> None:
        for path in paths:
            if path and not self._is_aside(path) and not self._source(path):
                self._changes(path)
                self.written[path] = "write"

    def _source(self, path: str) -> str:
        """The source of what Python keeps in a cache of its own; empty for another file."""
        if not path.endswith(".pyc"):
            return ""
        try:
            found: str = sys.modules["_frozen_importlib_external"].source_from_cache(path)
        except (ValueError, NotImplementedError):
            return ""  # a module that has no source
        return found

    def _names(self, name: Any) -> list[Any]:
        """A name; and where it leads, for a step that made links: they may be gone in the end."""
        if self.places:
            from _thread import get_ident

            place = self.places.get(get_ident(), -1)
            name = name if place == -1 else self._path(name, place)
        real = os.path.realpath(self._path(name)) if self.linked else ""
        return [name, real] if real and real != self._path(name) else [name]

    def _below(self, folder: str) -> list[str]:
        """The files in a folder, and in those in it."""
        busy, self.here.busy = self.here.busy, True
        try:
            return [os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names]
        finally:
            self.here.busy = busy

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
        if path.startswith("/dev/shm/"):  # noqa: S108 that is memory which is shared by name
            return path.startswith(self.own) or path + "/" in self.own
        return path.startswith(self.aside) or path + "/" in self.aside

    def _listed(self, name: Any) -> None:
        code = sys._getframe(2).f_code
        asking = code.co_filename
        if "importlib._bootstrap" in asking or asking == RUNTIME or code.co_name.startswith("_rmtree"):
            return
        for one in self._names("." if name is None else name):
            path = self._path(one)
            if "importlib" not in asking or path not in self.importing:  # what is installed
                self._list(path)

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

    def ran(self, program: Any, words: Any) -> None:
        """It is about to start a program."""
        try:
            if program is words and not isinstance(words, os.PathLike):  # a shell is told; the rest may be a secret
                self.programs[os.fsdecode(words.split()[0])[:200]] = None
                return
            words = [words] if isinstance(words, (str, bytes, os.PathLike)) else list(words)
            first = os.fsdecode(program if isinstance(program, (str, bytes, os.PathLike)) else words[0])
            more = [os.fsdecode(word) for word in words[1:]]
            if self._is_harmless(first, more) or more[:2] == ["-m", "pip"] or any(TRACKER in word for word in more):
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
            name, place = (".", name) if name.__class__ is int else (name, place)
            near, name = "" if place in (-1, None) else os.readlink(f"/proc/self/fd/{place}"), os.fsdecode(name)
            path = os.path.abspath(os.path.join(near, name))
            if near or self.elsewhere or os.path.isabs(name):
                self.absolute.add(path)
            return path
        except (TypeError, ValueError, OSError):  # the folder is gone, or the system does not tell
            if place not in (-1, None):
                self.unseen["an open folder"] = None
            return ""


def _look(path: str) -> tuple[int, int, int, int] | None:
    """The size of a file, when it was written, its number and kind; None where it is not there."""
    try:
        there = os.stat(path)
    except OSError:
        return None
    return there.st_size, there.st_mtime_ns, there.st_ino, there.st_mode


def content_digest(path: str) -> str:
    """The digest of a file. Raises OSError."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while True:
            piece = file.read(1 << 20)
            if not piece:
                return "sha256:" + found.hexdigest()
            found.update(piece)


def link_digest(target: str) -> str:
    """The digest of where a link leads."""
    return "sha256:" + hashlib.sha256(target.encode("utf-8", "surrogateescape")).hexdigest()


def leads(path: str) -> str:
    """The same of the link that is now at a path; empty where there is none."""
    try:
        return link_digest(os.readlink(path))
    except OSError:
        return ""


def names_digest(folder: str, without: Iterable[str] = ()) -> str:
    """The digest of the names in a folder, hidden ones and those of the paths `without` left out. Raises OSError."""
    own = {os.path.basename(path) for path in without if os.path.dirname(path) == folder}
    names = sorted(n for n in os.listdir(folder) if n not in own and not n.startswith(".") and n != "__pycache__")
    return "sha256:" + hashlib.sha256("\0".join(names).encode("utf-8", "surrogateescape")).hexdigest()
