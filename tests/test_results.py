"""Pipeline metrics: which names a cell shows, and on which step."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import write_notebook

from kalecompiler.plan import Planned, plan

STEPS = "# %% step:train\nacc = 0.5\nloss = 1\n# %% step:test prev:train\nf1 = acc\n"

#: metrics cell -> the metrics of each step
SHOWN = {
    "acc": {"train": ["acc"]},
    "print(acc)": {"train": ["acc"]},
    "print('accuracy:', acc, loss)": {"train": ["acc", "loss"]},
    "acc\nloss\nf1": {"train": ["acc", "loss"], "test": ["f1"]},
    "acc\nprint(acc)": {"train": ["acc"]},
    "error = 1 - acc": {"train": ["error"]},
    "ratio = f1 / loss": {"test": ["ratio"]},
    "'a comment in a string'\nacc": {"train": ["acc"]},
    "rate = lr * 2": {"test": ["rate"]},
}

REFUSED = [
    "acc()",
    "print(acc + 1)",
    "print('nothing')",
    "for m in ms:\n    print(m)",
    "acc, loss",
    "a = b = acc",
    "x.y = 1",
]


def planned(folder: Path, metrics: str, steps: str = STEPS) -> Planned:
    text = f"# %% pipeline-parameters\nlr = 0.1\n{steps}# %% pipeline-metrics\n{metrics}\n"
    return plan(write_notebook(folder / "nb.ipynb", text), {})


@pytest.mark.parametrize("cell", SHOWN)
def test_shown(cell: str, tmp_path: Path) -> None:
    found = planned(tmp_path, cell)
    assert found.pipeline is not None, found.diagnostics
    assert {s.name: [m.name for m in s.metrics] for s in found.pipeline.steps if s.metrics} == SHOWN[cell]


@pytest.mark.parametrize("cell", REFUSED)
def test_refused(cell: str, tmp_path: Path) -> None:
    found = planned(tmp_path, cell)
    assert [d.rule.code for d in found.diagnostics if d.rule.code.startswith("KC4")] == ["KC411"]
    assert found.pipeline is None


def test_a_metric_is_shown_by_the_last_step_that_binds_it(tmp_path: Path) -> None:
    steps = "# %% step:a\nacc = 1\n# %% step:b prev:a\nacc = 2\n# %% step:c prev:b\nprint(acc)\n"
    found = planned(tmp_path, "acc", steps)
    assert [len(s.metrics) for s in found.draft.steps] == [0, 1, 0]


def test_a_cell_in_the_middle_shows_what_is_bound_above_it(tmp_path: Path) -> None:
    text = (
        "# %% pipeline-metrics\nlast\n# %% step:a\nacc = 1\n# %% pipeline-metrics\nprint(acc)\nbelow\n"
        "# %% step:b prev:a\nacc = 2\nlast = below = 3\n"
    )
    found = plan(write_notebook(tmp_path / "nb.ipynb", text), {})
    assert found.pipeline is not None, found.diagnostics
    assert [[m.name for m in s.metrics] for s in found.pipeline.steps] == [["acc"], ["last", "below"]]


def test_a_metric_that_nothing_binds_is_undefined(tmp_path: Path) -> None:
    found = planned(tmp_path, "accuracy")
    assert [d.rule.code for d in found.diagnostics if d.rule.code.startswith("KC2")] == ["KC201"]


def test_the_port_of_metrics_is_free(tmp_path: Path) -> None:
    steps = "# %% step:a\nmetrics = 1\nacc = 2\n# %% step:b prev:a\nprint(metrics)\n"
    step = planned(tmp_path, "acc", steps).draft.steps[0]
    assert step.metrics_port not in {o.port for o in step.outputs}
