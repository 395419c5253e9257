"""Starts the recording of `traces` in a step's process, where both files are executed as one program.

What is imported is looked at by `compiledreads`, where compiled code opens files.
"""

from __future__ import annotations

import atexit
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from kalecompiler.local.traces import Traces

LOOKED_AT = frozenset(
    {"polars", "pyarrow"}
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


def start(target: str, aside: Sequence[str], program: str) -> None:
    """Record from now on, until the process ends; `program` is the file `compiledreads.py`."""
    traces = Traces(aside)
    atexit.register(traces.report, target)
    sys.meta_path.insert(0, Finder(traces, program))
    sys.addaudithook(traces.hook)
