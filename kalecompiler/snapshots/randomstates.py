"""Random states as manifests hold them: plain JSON, which goes back into the library that it came from."""

from __future__ import annotations

import importlib
from typing import Any


def put(name: str, value: Any) -> None:
    """Set the state of `random`, `numpy` or `torch`.

    Raises ImportError where the library is not installed, ValueError or TypeError for what is no state of it.
    """
    {"random": _random, "numpy": _numpy, "torch": _torch}[name](value)


def _random(value: Any) -> None:
    import random

    version, words, rest = value
    random.setstate((version, tuple(words), rest))


def _numpy(value: Any) -> None:
    numpy = importlib.import_module("numpy")
    state = {**value, "state": {**value["state"], "key": numpy.array(value["state"]["key"], dtype=numpy.uint32)}}
    numpy.random.set_state(state)


def _torch(value: Any) -> None:
    torch = importlib.import_module("torch")
    torch.set_rng_state(torch.tensor(list(bytes.fromhex(value)), dtype=torch.uint8))
