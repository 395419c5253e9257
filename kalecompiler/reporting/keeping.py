"""What a run keeps so that it can be reported on later: its graph, where its code stands, and its notebook."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kalecompiler import graph
from kalecompiler.files import write_atomic
from kalecompiler.model import Pipeline, Step

NOTEBOOK = "notebook.ipynb"


def about(pipeline: Pipeline) -> dict[str, Any]:
    """For the run's record: the graph as `kalec graph --format json` has it, and of which cell each piece of code is.

    `tasks` are the names of the steps' folders, `reports` the port of each one's own report; `cells` are numbers that
    count all cells from 1: of each piece of code, and in `ran` of all that a step runs.
    """
    drawn = json.loads(graph.to_json(pipeline, []))
    del drawn["diagnostics"]
    ran = {step.name: _cells(step) for step in pipeline.steps}
    return {
        "notebook": pipeline.notebook,
        "graph": drawn,
        "tasks": {step.name: step.task for step in pipeline.steps},
        "reports": {step.task: step.report_port for step in pipeline.steps if step.report_port},
        "cells": {piece: cell for pieces in ran.values() for piece, cell in pieces.items()},
        "ran": {name: sorted(set(pieces.values())) for name, pieces in ran.items()},
    }


def keep(notebook: bytes, folder: Path) -> None:
    """Put the notebook that runs into the run's folder. Raises OSError."""
    write_atomic(folder / NOTEBOOK, notebook)


def _cells(step: Step) -> dict[str, int]:
    """The cell of each piece of a step's code that comes from one."""
    found = {code.name: code.origin.cell for code in step.code if code.origin is not None}
    return {name: cell for name, cell in found.items() if cell is not None}
