"""A kept value as a file of another format: parquet, csv, npy, json, pickle; or, as `.kalec`, as it is kept."""

from __future__ import annotations

import json
import pickle
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kalecompiler.diagnostics import KalecError, UsageError
from kalecompiler.files import write_atomic
from kalecompiler.snapshots import loads
from kalecompiler.snapshots.manifest import Manifest, VariableRecord
from kalecompiler.snapshots.objects import StoreProblem
from kalecompiler.snapshots.runs import Kept
from kalecompiler.wording import cause, listed

PREVIEW = 4000


def value(kept: Kept, key: str, name: str, trust: bool) -> Any:
    """The value of a variable that a step left; None of it is executed unless it is trusted.

    Raises StoreProblem (Untrusted too), UsageError where it is unbound, KalecError where it cannot be rebuilt here.
    """
    manifest, variable = _of(kept, key, name)
    with tempfile.TemporaryDirectory(prefix="kalec-") as folder:
        path = kept.fetch(manifest, variable, Path(folder))
        trusted = trust or kept.is_trusted(manifest)
        try:
            found = loads.from_file(path, variable.digest or None, [name], trusted)[name]
        except loads.ValueProblem as error:
            raise KalecError(_in_words(str(error), path, manifest.step or key)) from None
    if loads.is_absent(found):
        raise UsageError(f"{name} was left unbound by step {manifest.step or key}")
    return found


def _in_words(error: str, path: Path, step: str) -> str:
    """Why a value cannot be rebuilt here, on one line: nobody knows the file that it was put into for a moment."""
    what, _, cure = error.replace(f" from {path}", "").partition("\n  help: ")
    if "the notebook's" in what:
        cure = "`kalec checkout` makes a notebook in which it is"
    return what.replace("the step that made it", f"step {step}") + (f"; {cure}" if cure else "")


def _of(kept: Kept, key: str, name: str) -> tuple[Manifest, VariableRecord]:
    manifest = kept.end(key) or kept.start(key)
    assert manifest is not None
    variable = manifest.variables[name]
    if variable.error:
        raise StoreProblem(f"{name} was not kept: {variable.error}")
    return manifest, variable


def preview(found: Any, rows: int) -> str:
    """The first rows of a value, or its beginning, as text; control characters are spelt out."""
    first = found[:rows] if hasattr(found, "shape") or isinstance(found, (list, tuple)) else found
    text = str(first) if hasattr(found, "shape") else repr(first)
    return text if len(text) <= PREVIEW else f"{text[:PREVIEW]} ..."


def export(kept: Kept, key: str, name: str, target: Path, trust: bool) -> None:
    """Write a variable to a file whose ending says the format. Raises UsageError, and as `value` does."""
    ending = target.suffix.lower()
    if ending == ".kalec":
        _raw(kept, key, name, target)
        return
    if ending not in WRITERS:
        raise UsageError(f"{target} has no ending that says a format: give it one of {listed([*WRITERS, '.kalec'])}")
    found = value(kept, key, name, trust)
    try:
        with tempfile.TemporaryDirectory(prefix="kalec-") as folder:
            draft = Path(folder) / f"value{ending}"
            WRITERS[ending](found, draft)
            write_atomic(target, draft.read_bytes())
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {cause(error)}") from None
    except ImportError as error:
        raise UsageError(f"{target} needs a package that is not installed here: {error}") from None
    except (TypeError, ValueError, AttributeError, pickle.PicklingError) as error:
        kind = type(found).__name__
        raise UsageError(f"{name} is a {kind}, which {ending[1:]} does not take: {error or 'no such writer'}") from None


def _raw(kept: Kept, key: str, name: str, target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="kalec-") as folder:
        path = kept.fetch(*_of(kept, key, name), Path(folder))
        try:
            shutil.copyfile(path, target)
        except OSError as error:
            raise UsageError(f"{target} cannot be written: {cause(error)}") from None


def _parquet(found: Any, path: Path) -> None:
    _frame(found).to_parquet(path)


def _csv(found: Any, path: Path) -> None:
    if hasattr(found, "to_csv"):
        found.to_csv(path)
        return
    import numpy

    array = numpy.asarray(found)
    if array.ndim not in (1, 2) or array.dtype == object:
        raise TypeError("it is neither a table nor an array of one or two dimensions")
    numpy.savetxt(path, array, delimiter=",", fmt="%s")


def _npy(found: Any, path: Path) -> None:
    import numpy

    array = found.to_numpy() if hasattr(found, "to_numpy") else numpy.asarray(found)
    if array.dtype == object:
        raise TypeError("it has objects in it, which npy would pickle")
    numpy.save(path, array, allow_pickle=False)


def _json(found: Any, path: Path) -> None:
    if hasattr(found, "to_json"):
        found.to_json(path, orient="records" if hasattr(found, "columns") else "index", date_format="iso")
        return
    plain = found.tolist() if hasattr(found, "tolist") else found
    text = json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False, default=_refuse)
    path.write_text(text + "\n", encoding="utf-8")


def _refuse(item: Any) -> Any:
    if hasattr(item, "tolist"):
        return item.tolist()
    raise TypeError(f"it holds a value of type {type(item).__name__}")


def _pickle(found: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(found, protocol=pickle.HIGHEST_PROTOCOL))


def _frame(found: Any) -> Any:
    if hasattr(found, "to_parquet"):
        return found
    if hasattr(found, "to_frame"):
        frame = found.to_frame()
        return frame.rename(columns=str)
    raise TypeError("parquet is for tables")


WRITERS: Mapping[str, Callable[[Any, Path], None]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".npy": _npy,
    ".json": _json,
    ".pickle": _pickle,
    ".pkl": _pickle,
}
