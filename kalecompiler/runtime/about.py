"""What the metadata of an artifact tells people of its value; never what the value holds, unless that is asked for.

`type`, always; `kind`, as KFP names artifacts: Dataset, Model or Artifact; and where the value has them `shape`,
`rows`, `columns` (how many), `dtype`, `dtypes` (column -> type, of the first 50) and, if asked for, `preview` (text).
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DATA = set("DataFrame Series ndarray Dataset Table Tensor DMatrix".split())
MODELS = set("BaseEstimator Module Booster Model CatBoost Language".split())


def describe(value: Any, variable: str = "", preview: int = 0) -> dict[str, Any]:
    """The metadata of a value: strict JSON, small whatever the value is. Raises nothing."""
    names = {base.__name__ for base in type(value).__mro__}
    data = bool(names & DATA) or hasattr(type(value), "tocsr")
    about: dict[str, Any] = {"type": text(type_name(type(value)))}
    about["kind"] = "Dataset" if data else "Model" if names & MODELS else "Artifact"
    try:
        shape = getattr(value, "shape", None)
        if isinstance(shape, tuple) and all(isinstance(length, int) for length in shape):
            about["shape"] = list(map(int, shape))
        if data:
            about.update(zip(("rows", "columns"), about.get("shape", ())))
            if hasattr(type(value), "columns"):  # first: a frame's `dtype` is the content of a column of that name
                about["dtypes"] = {text(name): text(kind) for name, kind in zip(value.columns[:50], value.dtypes)}
            elif hasattr(value, "dtype"):
                about["dtype"] = text(value.dtype)
            if preview:
                from . import preview as previews

                about.update(previews.preview(value, variable, preview))
    except Exception:  # properties of any library: they must not make saving fail
        return about
    return about


def type_name(kind: type) -> str:
    """The name a user knows: `pandas.DataFrame`, not `pandas.core.frame.DataFrame`; builtins without a module."""
    module, name = kind.__module__, kind.__qualname__
    if module == "builtins":
        return name
    public = ""
    for part in module.split("."):
        public += part + "."
        if getattr(sys.modules.get(public[:-1]), name, None) is kind:
            return public + name
    return f"{module}.{name}"


def text(value: object, length: int = 100) -> str:
    """What `str` gives, cut, without what UTF-8 cannot hold."""
    return str(value)[:length].encode("utf-8", "backslashreplace").decode()
