"""The table of values, and the notebooks that hand them from one step to the next.

A row is the source of a value, as it could stand in a cell. A notebook makes many rows in its step `make`, and in its
step `take` makes them again and compares. The rows are in `valuerows`, one module a family.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

HELPERS = ("valuecheck.py", "equality.py")


@dataclass(frozen=True)
class Row:
    """A value: an expression, or statements that bind `V`.

    `check` is an expression that must hold of `it`, which came, and `twin`, which was made again; with `loose` nothing
    else counts. `needs` are modules without which the row is skipped; `define` is a cell with definitions, in the
    notebook's functions or, `in_step`, in the step that makes the value. `refused` is a part of the message of the step
    that makes it, `unloadable` of the one that takes it.
    """

    name: str
    source: str
    check: str = ""
    needs: str = ""
    define: str = ""
    in_step: bool = False
    refused: str = ""
    unloadable: str = ""
    loose: bool = False

    @property
    def alone(self) -> bool:
        """Whether the row needs a pipeline of its own, because a step of it fails."""
        return bool(self.refused or self.unloadable)

    @property
    def missing(self) -> str:
        """The first module that it needs and that is not here; empty for none."""
        return next((name for name in self.needs.split() if importlib.util.find_spec(name) is None), "")

    def bind(self, name: str) -> str:
        """Statements that bind `name` to the value."""
        if re.search(r"\bV\b", self.source):
            return re.sub(r"\bV\b", name, self.source)
        return f"{name} = {self.source}"


@dataclass(frozen=True)
class Family:
    """Rows that go through one notebook, and its imports."""

    name: str
    imports: str
    rows: tuple[Row, ...]


FAMILIES = ("plain", "standard", "classes", "arrays", "frames", "models", "others")


def families() -> tuple[Family, ...]:
    """All families, in a fixed order."""
    modules = [(name, importlib.import_module(f"valuerows.{name}")) for name in FAMILIES]
    return tuple(Family(name, module.IMPORTS, tuple(module.ROWS)) for name, module in modules)


def notebook_text(family: Family, rows: Iterable[tuple[int, Row]]) -> str:
    """A notebook, in the format of `support`, that hands the numbered rows from `make` to `take`."""
    rows = list(rows)
    definitions = dict.fromkeys(row.define for _, row in rows if row.in_step)
    make = [*definitions, *(row.bind(f"v{number}") for number, row in rows)]
    take = [_take(row, number, f"v{number}") for number, row in rows]
    return "\n".join([*_shared(family, rows), *_step("step:make", make), *_step("step:take prev:make", take)])


def parallel_text(family: Family, rows: Iterable[tuple[int, Row]]) -> str:
    """A notebook with two steps for each of the numbered rows, `make5` and `take5`; the variable is `v0` in all.

    One that fails stops no other.
    """
    rows = list(rows)
    cells = _shared(family, rows)
    for number, row in rows:
        make = [*([row.define] if row.in_step else []), row.bind("v0")]
        cells += _step(f"step:make{number}", make)
        cells += _step(f"step:take{number} prev:make{number}", [_take(row, number, "v0")])
    return "\n".join(cells)


def _shared(family: Family, rows: Iterable[tuple[int, Row]]) -> list[str]:
    """The cells of imports and functions."""
    functions = dict.fromkeys(row.define for _, row in rows if row.define and not row.in_step)
    imports = f"# %% imports\n{family.imports}\nfrom valuecheck import tell"
    return [imports, *(f"# %% functions\n{source}" for source in functions)]


def _step(tags: str, sources: Iterable[str]) -> list[str]:
    """The cells of a step."""
    return [f"# %% {'' if number else tags}".rstrip() + f"\n{source}" for number, source in enumerate(sources)]


def _take(row: Row, number: int, name: str) -> str:
    """What tells whether variable `name` is what the row makes."""
    holds = f", lambda it, twin: {row.check}" if row.check else ""
    loose = ", loose=True" if row.loose else ""
    return f"{row.bind(f'w{number}')}\ntell({number}, {name}, w{number}{holds}{loose})"


def write_helpers(folder: Path) -> None:
    """Put what the steps import beside the notebook."""
    for name in HELPERS:
        source = Path(__file__).with_name(name).read_text(encoding="utf-8")
        (folder / name).write_text(source, encoding="utf-8")
