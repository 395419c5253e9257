"""Keras models and layers, with classes and functions of the notebook in them.

Keras pickles itself as a `.keras` archive in memory; reading it back, it must be told of the notebook's own classes.
An optimizer or metric that is handed on alone would silently lose its state: it is refused.
"""

from __future__ import annotations

import pickle
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

TYPES = ("keras.src.saving.keras_saveable.KerasSaveable", "keras.src.engine.training.Model")  # Keras 3; tf.keras 2
MODULES = ("keras", "tensorflow")


def dump(value: Any, file: BinaryIO) -> None:
    """Write the `.keras` archive, and the state of random layers, which Keras leaves out of it.

    Raises TypeError for an object whose variables would not come back equal.
    """
    import keras

    data = pickle.dumps(value, protocol=5)
    if not isinstance(value, keras.layers.Layer) and not _same_variables(value, _loads(data)):
        name = type(value).__name__
        raise TypeError(f"keras does not keep the state of a {name} that is handed on alone; hand on its model")
    pickle.dump((data, [seed.numpy() for seed in _seeds(value)]), file, protocol=5)


def load(file: BinaryIO) -> Any:
    """The object again, with the notebook's own classes and functions at hand."""
    data, seeds = pickle.load(file)
    value = _loads(data)
    for variable, seed in zip(_seeds(value), seeds):
        variable.assign(seed)
    return value


def _loads(data: bytes) -> Any:
    import keras

    notebook = {
        name: value
        for name, value in vars(sys.modules["__main__"]).items()
        if getattr(value, "__module__", None) == "__main__" and callable(value)
    }
    with keras.saving.custom_object_scope(notebook):
        return pickle.loads(data)


def _variables(value: Any) -> list[Any]:
    return list(getattr(value, "variables", ()))


def _seeds(value: Any) -> list[Any]:
    """The variables of the random layers, in order: how far each of them has come."""
    return [variable for variable in _variables(value) if variable.name == "seed_generator_state"]


def _same_variables(one: Any, other: Any) -> bool:
    ours, theirs = _variables(one), _variables(other)
    return len(ours) == len(theirs) and all((a.numpy() == b.numpy()).all() for a, b in zip(ours, theirs))
