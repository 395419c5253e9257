"""xgboost's Booster and DMatrix.

A pickle of a Booster that another version of xgboost loads may predict something else without a word (3.2 -> 2.1).
Its UBJ form is what xgboost promises to read, in the same and in later versions; the configuration goes with it.
"""

from __future__ import annotations

import os
import pickle
import tempfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

TYPES = ("xgboost.core.Booster", "xgboost.core.DMatrix")


def dump(value: Any, file: BinaryIO) -> Any:
    """Write a Booster as UBJ and configuration, a DMatrix in xgboost's binary form.

    Subclasses go by pickle.
    """
    import xgboost

    if type(value) is xgboost.Booster:
        saved = "Booster", bytes(value.save_raw("ubj")), value.save_config(), _plain(value)
    elif type(value) is xgboost.DMatrix:
        saved = "DMatrix", _binary(value), "", {}
    else:
        return NotImplemented
    pickle.dump((xgboost.__version__, *saved), file, protocol=4)
    return None


def load(file: BinaryIO) -> Any:
    """The Booster or DMatrix again. Raises RuntimeError in a version of xgboost older than the one that wrote it."""
    import xgboost

    version, kind, data, config, attributes = pickle.load(file)
    if _release(version) > _release(xgboost.__version__):
        raise RuntimeError(f"xgboost {version} wrote it, and xgboost {xgboost.__version__} here is older")
    if kind == "DMatrix":
        return _matrix(data)
    booster = xgboost.Booster(model_file=bytearray(data))
    if version == xgboost.__version__:
        booster.load_config(config)
    vars(booster).update(attributes)
    return booster


def _plain(booster: Any) -> dict[str, Any]:
    """What a user, or training, has set on the Python object."""
    return {name: value for name, value in vars(booster).items() if name != "handle"}


def _release(version: str) -> list[int]:
    return [int(part) for part in version.split(".")[:2]]


def _binary(matrix: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "matrix")
        matrix.save_binary(path)
        with open(path, "rb") as file:
            return file.read()


def _matrix(data: bytes) -> Any:
    import xgboost

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "matrix")
        with open(path, "wb") as file:
            file.write(data)
        return xgboost.DMatrix(path)
