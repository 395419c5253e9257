"""What each step gets and from whom, what it hands on, and what is wrong: a table of notebooks."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataflowrows import ROWS, Row
from support import write_notebook

from kalecompiler.internal import is_internal
from kalecompiler.model import CodeKind, Step
from kalecompiler.plan import Planned, plan


def planned(folder: Path, text: str) -> Planned:
    return plan(write_notebook(folder / "nb.ipynb", text), {})


def line(step: Step) -> str:
    """A step as the table writes it."""
    inputs = sorted((i.variable, f"{i.producer}.{i.variable}{'!' * i.early}") for i in step.inputs)
    outputs = sorted(o.variable + "?" * o.may_be_absent for o in step.outputs if not is_internal(o.variable))
    shared = [c.name.split(" ")[1] for c in step.code if c.kind in (CodeKind.IMPORTS, CodeKind.FUNCTIONS)]
    parts = {
        "": [text for variable, text in inputs if not is_internal(variable)],
        "after ": list(step.after),
        "definitions ": list(step.definitions),
        "parameters ": sorted(step.parameters),
        "guards ": [g.variable for g in step.guards],
        "takes ": shared,
        "-> ": outputs,
    }
    return f"{step.name}: {' | '.join(head + ' '.join(items) for head, items in parts.items() if items)}".rstrip()


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_dataflow(row: Row, tmp_path: Path) -> None:
    found = planned(tmp_path, row.text)
    assert [line(step) for step in found.draft.steps] == row.steps.strip().split("\n")
    rules = dict.fromkeys(d.rule.code for d in found.diagnostics if d.rule.code.startswith("KC2"))
    assert " ".join(rules) == row.rules


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_every_input_has_an_output_above_it(row: Row, tmp_path: Path) -> None:
    """Inputs come from outputs of steps that run before, and every output is wanted by someone."""
    steps = {s.name: s for s in planned(tmp_path, row.text).draft.steps}
    above: dict[str, set[str]] = {}
    for _ in steps:
        above = {n: set(s.after).union(*(above.get(p, set()) for p in s.after)) for n, s in steps.items()}
    for name, step in steps.items():
        for item in step.inputs:
            assert item.producer in above[name] - {name}
            assert item.source_port in {o.port for o in steps[item.producer].outputs if o.variable == item.variable}
        for output in step.outputs:
            assert output.consumers
            assert all(
                (output.variable, name) in {(i.variable, i.producer) for i in steps[c].inputs} for c in output.consumers
            )
