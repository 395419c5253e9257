"""Starts the recording of `traces` in a step's process and reports it; with `unannounced` they are one program there.

What is imported is looked at by `compiledreads`, where compiled code opens files.
"""

from __future__ import annotations

import atexit
import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from kalecompiler.local.traces import ABSENT, Traces, _look, link_digest
    from kalecompiler.local.unannounced import replace, sqlite

# These connect in compiled code, where no hook sees it.
NETWORK = ("pycurl", "psycopg2", "psycopg_c", "psycopg_binary", "MySQLdb", "pyodbc", "connectorx")
# These open files in compiled code, and are hardly ever loaded for anything else.
UNSEEN = ("h5py", "netCDF4", "tables", "duckdb", "cv2", "rasterio", "fiona", "pyogrio", "osgeo", "lmdb", "pysam")
SQLITE = "sqlite3.dbapi2"
LOOKED_AT = frozenset(
    {"polars", "pyarrow", SQLITE}
    | {f"pyarrow.{name}" for name in ("csv", "json", "orc", "feather", "ipc", "dataset", "parquet.core", "fs")}
    | {f"pyarrow.{name}" for name in ("_s3fs", "_gcsfs", "_hdfs", "_azurefs")}
)


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
                look = sqlite if module.__name__ == SQLITE else load_program(self.program)["look"]
                look(module, self.traces)
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


def report(traces: Traces, target: str) -> None:
    """Write what was seen. A forked child has nothing to say."""
    if os.getpid() != traces.owner:
        return
    traces.here.busy = True
    _look_again(traces)
    files = [_read_file(traces, path, *known) for path, known in list(traces.read.items())]
    files += [_file(traces, path, mode) for path, mode in list(traces.written.items())]
    files += [
        {"path": path, "digest": ABSENT, "mode": "read"} for path in list(traces.absent) if path not in traces.written
    ]
    files += [
        {"path": path, "digest": None, "mode": "remove"} for path in list(traces.removed) if not os.path.exists(path)
    ]
    files += [
        {"path": path, "digest": digest, "mode": "list"}
        for path, digest in list(traces.listed.items())
        if os.path.isdir(path) or path not in traces.made
    ]
    files += [{"path": path, "digest": link_digest(to), "mode": "link"} for path, to in list(traces.links.items())]
    files += [file for more in traces.more for file in more()]
    if not traces.programs and not traces.harmless and _had_children():
        traces.programs["a child of its own"] = None
    network = traces.network or any(name in sys.modules for name in NETWORK)
    if "pyarrow.parquet" in sys.modules and "pyarrow.parquet.core" not in sys.modules:  # it is an old one
        traces.unseen["pyarrow"] = None
    unseen = [*traces.unseen, *(name for name in UNSEEN if name in sys.modules)]
    files = [{**file, "absolute": True} if file["path"] in traces.absolute else file for file in files if file]
    found = {"files": files, "network": network, "programs": list(traces.programs), "unseen": unseen}
    found["folder"] = traces.folder
    with open(f"{target}.part", "w", encoding="utf-8", errors="backslashreplace") as stream:
        json.dump(found, stream)
    os.replace(f"{target}.part", target)


def _look_again(traces: Traces) -> None:
    """What compiled code wrote: databases, and new files in the folders that it was given."""
    for look in traces.before:
        look()
    for folder in filter(os.path.isdir, list(traces.filled)):
        new = [path for path in traces._below(folder) if (_look(path) or (0, 0))[1] > traces.started]
        traces._has_written(path for path in new if path not in traces.written)


def _read_file(traces: Traces, path: str, look: Any, digest: str | None) -> Any:
    """A file that was read, as the report has it; None for one that is none, or was made meanwhile and is gone."""
    now = _look(path)
    if now is None:
        if not look or look[1] > traces.started:
            return None
    elif not os.path.isfile(path):
        return None
    elif path not in traces.written:
        digest = (digest or traces._state(path, sys.maxsize)[1]) if now == look == _look(path) else None
    return {"path": path, "digest": digest, "mode": "read"}


def _file(traces: Traces, path: str, mode: str) -> Any:
    """A file that was written, as the report has it; None for one that is none (any more)."""
    if not os.path.isfile(path):
        return None
    return {"path": path, "digest": traces._state(path, sys.maxsize)[1], "mode": mode}


def _had_children() -> bool:
    """Whether other processes worked for this one, however they were started."""
    try:
        import resource
    except ImportError:
        return False
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime > 0


def prefix(target: str, aside: Sequence[str]) -> str:
    """Python text that starts the recording, to be put before a step's program; it leaves no name behind.

    `target` is where the report goes, `aside` folders that do not count. Where anything fails there is no report.
    """
    own = os.path.dirname(__file__)
    files = [os.path.join(own, name) for name in ("traces.py", "unannounced.py", "tracestart.py")]
    load = '__import__("_frozen_importlib_external").SourceFileLoader("kalec_traces",p).get_code("kalec_traces")'
    begin = f'n["start"]({target!r},{[*aside, own]!r},{own!r})'
    return f'(lambda n:([exec({load},n) for p in {files!r}],{begin}))({{"__name__":"kalec_traces"}})\n'


def start(target: str, aside: Sequence[str], own: str) -> None:
    """Record from now on, until the process ends; `own` is the folder of this file."""
    traces = Traces(aside)
    replace(traces)
    atexit.register(report, traces, target)
    sys.meta_path.insert(0, Finder(traces, os.path.join(own, "compiledreads.py")))
    sys.addaudithook(traces.hook)
