"""Values as files, for all that is not a step: `save` and `load` as the steps do it. Not carried by them."""

from __future__ import annotations

from typing import Any

from . import loading, outputs
from .about import describe
from .bundle import ABSENT
from .failure import ValueProblem
from .saving import save

outputs.recipes()

__all__ = ["ABSENT", "ValueProblem", "describe", "load", "save"]


def load(path: str, digest: str | None = None, variable: str = "value", producer: str | None = None) -> Any:
    """The value that `save` wrote to `path`, or ABSENT; `loading.load` tells of the checks, and what is raised."""
    return loading.load(path, digest, [variable], producer)[variable]
