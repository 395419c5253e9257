"""What Python does without telling an audit hook, or without telling all: functions here take the place of its own.

One program with `traces` in a step's process, before the step; the standard library only, Python 3.9 and later, and
nothing of kalecompiler. Each tells `traces` and then does what the original does.
"""

from __future__ import annotations

import _thread
import functools
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kalecompiler.local.traces import ABSENT, LARGE, Traces

JOURNALS = ("-wal", "-journal")
ATTACH = 24  # SQLite's number for that action


def replace(traces: Traces) -> None:
    """Put them in place. `sqlite` is to look at sqlite3.dbapi2 when that is imported later."""
    _open(traces)
    _readlink(traces)
    _start(traces)
    _find_module(traces)
    for name in ("sqlite3.dbapi2", "sqlite3"):
        if name in sys.modules:
            sqlite(sys.modules[name], traces)


def _open(traces: Traces) -> None:
    """The event tells no `dir_fd`."""
    original = os.open

    def opened(path: Any, flags: int, mode: int = 0o777, *, dir_fd: Any = None) -> int:
        if dir_fd is None:
            return original(path, flags, mode)
        traces.places[_thread.get_ident()] = dir_fd
        try:
            return original(path, flags, mode, dir_fd=dir_fd)
        finally:
            traces.places.pop(_thread.get_ident(), None)

    _in_os("open", opened)


def _readlink(traces: Traces) -> None:
    """There is no event. `os.path.realpath` calls it."""
    original = os.readlink

    def readlink(path: Any, *, dir_fd: Any = None) -> Any:
        target = original(path, dir_fd=dir_fd)
        link = traces._path(path, dir_fd)
        if link and not traces.here.busy and link not in traces.written and not traces._is_aside(link):
            traces.links.setdefault(link, os.fsdecode(target))
        return target

    _in_os("readlink", readlink)


def _in_os(name: str, function: Any) -> None:
    original = getattr(os, name)
    functools.update_wrapper(function, original)
    function.__module__ = "os"  # pickle looks for it there
    for able in (os.supports_dir_fd, os.supports_fd):  # who can do it is told by the function itself
        if original in able:
            able.add(function)
    setattr(os, name, function)


def _start(traces: Traces) -> None:
    """multiprocessing starts its processes in this way, and there is no event."""
    try:
        import _posixsubprocess
    except ImportError:
        return
    original = _posixsubprocess.fork_exec

    def fork_exec(words: Any, executables: Any, *rest: Any) -> Any:
        traces.ran(words[0] if words else "?", words)
        return original(words, executables, *rest)

    _posixsubprocess.fork_exec = fork_exec


def _find_module(traces: Traces) -> None:
    """Whether there is a module is asked of importlib, whose own looking around is passed over."""
    import importlib.util

    original = importlib.util.find_spec

    @functools.wraps(original)
    def find_spec(name: str, package: Any = None) -> Any:
        spec = original(name, package)
        if spec is not None and spec.origin and os.path.isfile(spec.origin):
            traces._opened(spec.origin, os.O_RDONLY)
        elif spec is not None:  # only folders
            for folder in spec.submodule_search_locations or ():
                traces._list(traces._path(folder))
        return spec

    importlib.util.find_spec = find_spec
    sys.meta_path.append(Last(traces))


class Last:
    """Asked for a module when nobody else has it."""

    def __init__(self, traces: Traces) -> None:
        self.traces = traces

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Note it."""
        for folder in list(sys.path if path is None else path):
            place = os.path.join(folder, name.rpartition(".")[2])
            for one in map(self.traces._path, (f"{place}.py", os.path.join(place, "__init__.py"))):
                if one and not self.traces._is_aside(one) and not os.path.lexists(one):
                    self.traces._missed(one)


def sqlite(module: Any, traces: Traces) -> None:
    """Look at the databases of SQLite, which opens its files itself. Called when it was just imported."""
    original, databases = module.connect, Databases(traces)
    if hasattr(original, "__wrapped__"):
        return

    @functools.wraps(original)
    def connect(*arguments: Any, **keywords: Any) -> Any:
        databases.opened(keywords.get("database", arguments[0] if arguments else None))
        traces.connecting += 1
        try:
            connection = original(*arguments, **keywords)
        finally:
            traces.connecting -= 1
        connection.set_authorizer(databases.authorize)  # there is no event for what is attached
        return connection

    module.connect = connect
    traces.before.append(databases.look)
    traces.more.append(databases.journals)


class Databases:
    """The databases that were opened, with the size and time that they and their journals had."""

    def __init__(self, traces: Traces) -> None:
        self.traces = traces
        self.found: dict[str, Any] = {}

    def opened(self, name: Any) -> None:
        """A database is about to be opened."""
        try:
            name = os.fsdecode(name)
        except TypeError:
            return
        name, _, query = name.partition("?") if name.startswith("file:") else (name, "", "")
        if name.startswith("file:"):
            from urllib.parse import unquote

            name = unquote(name[5:])
            name = "/" + name[2:].partition("/")[2] if name.startswith("//") else name
        for one in self.traces._names(name) if name not in ("", ":memory:") and "mode=memory" not in query else ():
            path = self.traces._path(one)
            if path and path not in self.found and not self.traces._is_aside(path):
                self.found[path] = _looks(path)
                if self.found[path][0]:
                    self.traces._reads(path, LARGE)  # nobody tells when it is changed

    def authorize(self, action: int, name: Any, *_: Any) -> int:
        """SQLite asks whether it may do something: it may."""
        if action == ATTACH and name is None:
            self.traces.unseen["SQLite"] = None  # it does not tell which
        elif action == ATTACH:
            self.opened(name)
        return 0

    def look(self) -> None:
        """Say which of them are others now."""
        for path, before in list(self.found.items()):
            now = _looks(path)
            if now[0] != before[0] or now[1] not in (None, before[1]):
                self.traces.written[path] = "write"

    def journals(self) -> list[Any]:
        """What their journals have belongs to what was read; an empty one is none."""
        found = []
        for one, end in ((one, end) for one in self.found if one in self.traces.read for end in JOURNALS):
            path = one + end
            if one in self.traces.absolute:
                self.traces.absolute.add(path)
            there = os.path.isfile(path) and os.path.getsize(path) > 0
            digest = self.traces._state(path, sys.maxsize)[1] if there else ABSENT
            found.append({"path": path, "digest": digest, "mode": "read"})
        return found


def _looks(path: str) -> list[Any]:
    """The size and time of a database and of its journal; None for what is not there, or empty."""
    found: list[Any] = []
    for one in (path, path + JOURNALS[0]):
        try:
            there = os.stat(one)
        except OSError:
            there = None
        found.append((there.st_size, there.st_mtime) if there and (there.st_size or one == path) else None)
    return found
