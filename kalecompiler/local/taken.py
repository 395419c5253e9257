"""Tasks that need not run: another run has what they would put out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kalecompiler.local.executor import Produced


@dataclass(frozen=True, slots=True)
class Taken:
    """What a task takes over. `source` is `RUN/TASK`; `outputs`, given the task's folder, writes the files there.

    Not every output needs a file: only those that a task which runs takes. `metrics` are what it measured.
    """

    source: str
    outputs: Callable[[Path], Produced]
    metrics: Mapping[str, Any] = field(default_factory=dict)
