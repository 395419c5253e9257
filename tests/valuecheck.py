"""Tells, inside a step, whether a value that came from another step is the one that was made there.

Stricter than `equality`, which compares what a value holds: also the order of arrays, whether they may be written,
the kinds of indexes and columns, what hangs on a value beside its data. Carried by the steps, with `equality`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from equality import compare

MARK = "@@"
LARGE = 1000  # so many elements are looked at one by one, beside the library's own comparison of all


def tell(row: int, it: Any, twin: Any, holds: Callable[[Any, Any], object] | None = None, loose: bool = False) -> None:
    """Print the verdict on a row: what came, and what was made again here, in a line that `verdicts` reads."""
    print(f"\n{MARK}{json.dumps([row, verdict(it, twin, holds, loose)])}{MARK}")


def verdicts(text: str) -> dict[int, str | None]:
    """Row -> what is wrong with it, None for nothing, of all the lines that `tell` printed."""
    lines = [line.strip() for line in text.splitlines()]
    return dict(json.loads(line[2:-2]) for line in lines if line.startswith(MARK) and line.endswith(MARK))


def verdict(it: Any, twin: Any, holds: Callable[[Any, Any], object] | None = None, loose: bool = False) -> str | None:
    """What distinguishes two values, in words; None for nothing. `holds` is what must hold of them besides.

    With `loose` only that counts: for values that have no equality, or that may come back as something else.
    """
    try:
        found = None if loose else unlike(it, twin)
        if found is None and holds is not None and not holds(it, twin):
            found = "what must hold does not"
    except Exception as error:  # comparing runs the methods of any class
        return f"comparing raised {type(error).__name__}: {error}"
    return found


def unlike(it: Any, twin: Any) -> str | None:
    """The first difference between two values that must be the same in all that can be seen of them."""
    if type(it) is not type(twin):
        return f"type {type(it)}, not {type(twin)}"
    library = {base.__module__.partition(".")[0] for base in type(it).__mro__}
    if "pandas" in library:
        return _frame(it, twin)
    if "numpy" in library and hasattr(it, "tobytes"):
        return _array(it, twin)
    comparison = compare(it, twin)
    if comparison.incomparable:
        return f"cannot compare {comparison.incomparable}"
    return comparison.difference


def _array(it: Any, twin: Any) -> str | None:
    import numpy as np

    parts = ["shape", "dtype", "dtype.metadata", "dtype.isalignedstruct", "dtype.byteorder", "dtype.titles"]
    if isinstance(it, np.ndarray):
        contiguous = twin.flags.c_contiguous or twin.flags.f_contiguous
        parts += ["flags.writeable", *(["flags.c_contiguous", "flags.f_contiguous"] if contiguous else [])]
    if isinstance(it, np.ma.MaskedArray):
        parts += ["fill_value", "hardmask"] if it is not np.ma.masked else []
    found = _parts(it, twin, parts)
    if found or twin.dtype.hasobject or isinstance(it, np.ma.MaskedArray):
        return found or compare(it.tolist(), twin.tolist()).difference
    if twin.dtype.kind in "TV" or twin.dtype.char in "gG":  # bytes that mean nothing lie between
        found = compare(it.ravel()[:LARGE].tolist(), twin.ravel()[:LARGE].tolist()).difference
        same = it.tobytes() == twin.tobytes() or np.all(it == twin)  # no NaT equals itself in a record
        return found or (None if same else f"{it!r}, not {twin!r}")
    if it.tobytes() != twin.tobytes():
        return f"{it!r}, not {twin!r}"
    if getattr(it, "flags", None) is not None and it.flags.writeable and it.size:
        it[...] = it.copy()
    return compare(getattr(it, "__dict__", None), getattr(twin, "__dict__", None)).difference


def _parts(it: Any, twin: Any, names: list[str]) -> str | None:
    for name in names:
        ours, theirs = (_get(value, name) for value in (it, twin))
        if repr(ours) != repr(theirs):
            return f"{name} {ours!r}, not {theirs!r}"
    return None


def _get(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = getattr(value, name, None)
    return value


_OF_INDEX = ["dtype", "names", "freq", "is_unique", "levels", "codes", "start", "stop", "step", "closed", "categories"]


def _frame(it: Any, twin: Any) -> str | None:
    import pandas as pd
    import pandas.testing as testing

    if isinstance(it, pd.DataFrame):
        testing.assert_frame_equal(it, twin, check_exact=True, check_column_type=True, check_flags=True)
        found = _on_it(it, twin) or _index(it.columns, twin.columns) or _index(it.index, twin.index)
        for place in range(twin.shape[1]):
            found = found or _column(it.iloc[:, place], twin.iloc[:, place])
        return found or _written(it, twin)
    if isinstance(it, pd.Series):
        testing.assert_series_equal(it, twin, check_exact=True, check_flags=True)
        return _on_it(it, twin) or _index(it.index, twin.index) or _column(it, twin)
    if isinstance(it, pd.Index):
        testing.assert_index_equal(it, twin, exact=True, check_exact=True)
        return _index(it, twin)
    if isinstance(it, pd.api.extensions.ExtensionArray):
        testing.assert_extension_array_equal(it, twin, check_exact=True)
        return _parts(it, twin, ["dtype", "dtype.storage", "dtype.na_value", "ordered", "freq"])
    return None if twin is it else _scalar(it, twin)


def _scalar(it: Any, twin: Any) -> str | None:
    if repr(it) != repr(twin):
        return f"{it!r}, not {twin!r}"
    found = _parts(it, twin, ["unit", "tz", "fold", "freqstr", "closed", "kwds", "n", "normalize"])
    return found or (None if it == twin else f"{it!r} != {twin!r}")


def _on_it(it: Any, twin: Any) -> str | None:
    """What hangs on a frame or series beside its data."""
    names = ["attrs", "flags", *getattr(twin, "_metadata", ())]
    return next((f"{n}: {d}" for n in names if (d := compare(_plain(it, n), _plain(twin, n)).difference)), None)


def _plain(value: Any, name: str) -> Any:
    found = getattr(value, name, None)
    return found.allows_duplicate_labels if name == "flags" and found is not None else found


def _index(it: Any, twin: Any) -> str | None:
    found = None if type(it) is type(twin) else f"index {type(it)}, not {type(twin)}"
    return found or _parts(it, twin, _OF_INDEX) or compare(list(it[:LARGE]), list(twin[:LARGE])).difference


def _column(it: Any, twin: Any) -> str | None:
    found = _parts(it, twin, ["dtype", "dtype.storage", "dtype.na_value", "dtype.ordered", "dtype.categories", "name"])
    return found or compare(it.iloc[:LARGE].tolist(), twin.iloc[:LARGE].tolist()).difference


def _written(it: Any, twin: Any) -> str | None:
    """Whether cells can be written where they can in the twin."""
    for place in range(twin.shape[1] if len(twin) else 0):
        answers = []
        for frame in (it, twin):
            try:
                frame.iloc[0, place] = frame.iloc[0, place]
                answers.append("")
            except Exception as error:  # some kinds of columns cannot be set: then both must not
                answers.append(type(error).__name__)
        if answers[0] != answers[1]:
            return f"column {place} cannot be written: {answers}"
    return None
