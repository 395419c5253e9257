"""Hard notebooks, one row each: tables of what people write, and of what must come of it."""

from __future__ import annotations

import importlib
from pathlib import Path

from cases.case import Case


def load() -> list[tuple[str, Case]]:
    """All rows, each with the name of its family's module."""
    modules = sorted(p.stem for p in Path(__file__).parent.glob("*.py") if p.stem not in ("__init__", "case"))
    return [(name, case) for name in modules for case in importlib.import_module(f"cases.{name}").CASES]
