"""What pyarrow and polars are told to open: they open it in compiled code, where no hook sees it.

Run inside a step's process by `traces`, when one of their modules was just imported; the standard library only, Python
3.9 and later, and nothing of kalecompiler. Their functions are replaced by such as tell what path they were given. What
is not as it is known here raises, and then the library as a whole counts as not seen.
"""

from __future__ import annotations

import functools
import glob
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

READ, WRITE, EITHER = "read", "write", "either"  # EITHER: as the argument `mode` says, the second one
# By module: its functions and classes, which of their arguments is the path, how that is named, what becomes of it.
PATHS: dict[str, tuple[tuple[str, int, str, str], ...]] = {
    "pyarrow": (
        ("memory_map", 0, "path", EITHER), ("create_memory_map", 0, "path", WRITE), ("OSFile", 0, "path", EITHER),
        ("input_stream", 0, "source", READ), ("output_stream", 0, "source", WRITE),
    ),
    "pyarrow.parquet.core": (
        ("ParquetFile", 0, "source", READ), ("ParquetDataset", 0, "path_or_paths", READ),
        ("ParquetWriter", 0, "where", WRITE), ("read_table", 0, "source", READ), ("read_metadata", 0, "where", READ),
        ("read_schema", 0, "where", READ), ("write_metadata", 1, "where", WRITE), ("write_table", 1, "where", WRITE),
        ("write_to_dataset", 1, "root_path", WRITE),
    ),
    "pyarrow.dataset": (
        ("dataset", 0, "source", READ), ("parquet_dataset", 0, "metadata_path", READ),
        ("write_dataset", 1, "base_dir", WRITE),
    ),
    "pyarrow.csv": (
        ("read_csv", 0, "input_file", READ), ("open_csv", 0, "input_file", READ),
        ("write_csv", 1, "output_file", WRITE), ("CSVWriter", 0, "sink", WRITE),
    ),
    "pyarrow.json": (("read_json", 0, "input_file", READ),),
    "pyarrow.orc": (
        ("ORCFile", 0, "source", READ), ("read_table", 0, "source", READ), ("write_table", 1, "where", WRITE),
        ("ORCWriter", 0, "where", WRITE),
    ),
    "pyarrow.feather": (
        ("read_feather", 0, "source", READ), ("read_table", 0, "source", READ), ("write_feather", 1, "dest", WRITE),
    ),
    "pyarrow.ipc": (
        ("RecordBatchFileReader", 0, "source", READ), ("RecordBatchStreamReader", 0, "source", READ),
        ("RecordBatchFileWriter", 0, "sink", WRITE), ("RecordBatchStreamWriter", 0, "sink", WRITE),
    ),
}  # fmt: skip
# File systems that connect: to have made one counts as to have used the network. Importing them does not.
REMOTE = {
    "_s3fs": "S3FileSystem",
    "_gcsfs": "GcsFileSystem",
    "_hdfs": "HadoopFileSystem",
    "_azurefs": "AzureFileSystem",
}


def look(module: Any, traces: Any) -> None:
    """Replace what opens files in a module that was just imported. Raises where it is not as it is known."""
    name = module.__name__
    package, _, part = name.partition(".")
    if part in REMOTE:
        _replace(module, REMOTE[part], lambda *_, **__: setattr(traces, "network", True))
    elif part == "fs":
        for found in ("LocalFileSystem", "copy_files"):
            _replace(module, found, lambda *_, **__: _if_not_from(package, traces))
    elif name == "polars":
        for found in [found for found in dir(module) if found.startswith(("read_", "scan_"))]:
            _replace(module, found, functools.partial(_told, traces, 0, "source", READ))
        for kind in (module.DataFrame, module.LazyFrame):
            for found in [found for found in dir(kind) if found.startswith(("write_", "sink_"))]:
                keyword = "path" if found.startswith("sink_") else "file"
                _replace(kind, found, functools.partial(_told, traces, 1, keyword, WRITE))
    paths = PATHS.get(name, ())
    if paths and not any(hasattr(module, path[0]) for path in paths):
        raise AttributeError(name)
    for attribute, place, keyword, mode in (path for path in paths if hasattr(module, path[0])):
        _replace(module, attribute, functools.partial(_told, traces, place, keyword, mode))


def _replace(module: Any, name: str, tell: Callable[..., None]) -> None:
    """Have `tell` called with the arguments of a function, or of a class that is instantiated, before that."""
    original = getattr(module, name)
    if not isinstance(original, type):

        @functools.wraps(original)
        def told(*arguments: Any, **keywords: Any) -> Any:
            tell(*arguments, **keywords)
            return original(*arguments, **keywords)

        setattr(module, name, told)
    elif original.__flags__ & (1 << 9):  # a class made in Python, which can be changed
        begin = getattr(original, "__init__")  # noqa: B009 mypy asks of which class it is

        @functools.wraps(begin)
        def told_init(self: Any, *arguments: Any, **keywords: Any) -> None:
            tell(*arguments, **keywords)
            begin(self, *arguments, **keywords)

        setattr(original, "__init__", told_init)  # noqa: B010
    else:
        setattr(module, name, _class(original, tell))


def _class(original: Any, tell: Callable[..., None]) -> Any:
    """A class like one of compiled code: an object of that one counts as an object of it."""

    class Kind(type):
        def __instancecheck__(cls, value: Any) -> bool:
            return isinstance(value, original)

    def new(cls: Any, *arguments: Any, **keywords: Any) -> Any:
        tell(*arguments, **keywords)
        return original.__new__(cls, *arguments, **keywords)

    about = {"__new__": new, "__module__": original.__module__, "__qualname__": original.__qualname__}
    return Kind(original.__name__, (original,), {**about, "__doc__": original.__doc__})


def _if_not_from(package: str, traces: Any) -> None:
    """A file system that the step makes itself opens what nobody tells."""
    asking = sys._getframe(3).f_globals.get("__name__", "")
    if asking.partition(".")[0] != package:
        traces.unseen[package] = None


def _told(traces: Any, place: int, keyword: str, mode: str, *arguments: Any, **keywords: Any) -> None:
    """A function was called: note the paths among what it was given."""
    value = keywords.get(keyword, arguments[place] if len(arguments) > place else None)
    if mode == EITHER:
        wanted = str(keywords.get("mode", arguments[place + 1] if len(arguments) > place + 1 else "r"))
        mode = READ if wanted in ("r", "rb") else WRITE
    system = keywords.get("filesystem")
    if type(system).__name__ == "SubTreeFileSystem" or isinstance(system, str):
        traces.unseen["pyarrow"] = None
    for path in _paths(value):
        where, is_url, rest = path.partition("://")
        if is_url and where != "file":
            traces.network = True
            continue
        path = os.path.expanduser(rest if is_url else path)
        found = glob.glob(path, recursive=True) if mode == READ and glob.has_magic(path) else []
        for one in found:
            traces.touched(one, mode)
        if not found or os.path.exists(path):
            traces.touched(path, mode)


def _paths(value: Any) -> Iterator[str]:
    if isinstance(value, (str, os.PathLike)):
        yield os.fsdecode(value)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _paths(one)
