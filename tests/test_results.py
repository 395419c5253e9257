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


def shown(folder: Path, text: str) -> dict[str, list[str]]:
    found = plan(write_notebook(folder / "nb.ipynb", text), {})
    assert found.pipeline is not None, found.diagnostics
    assert [d for d in found.diagnostics if d.rule.code.startswith("KC2")] == []
    return {s.name: [m.name for m in s.metrics] for s in found.pipeline.steps if s.metrics}


FIT = """
# %% step:data
import numpy as np
X = np.arange(20.0).reshape(10, 2)
y = X[:, 0] > 9
# %% step:build{0}
from sklearn.linear_model import LogisticRegression
model = LogisticRegression()
# %% step:train{1}
model.fit(X, y)
# %% pipeline-metrics
acc = model.score(X, y)
"""

#: a notebook -> the metrics of each step
CHANGED = {
    "a list": (
        "# %% step:a\nm = [1]\n# %% step:b\nm.append(9)\n# %% pipeline-metrics\nbest = max(m)\n",
        {"b": ["best"]},
    ),
    "a tag": (
        "# %% step:a\nm = [1]\n# %% step:b changes:m\nm.append(9)\n# %% pipeline-metrics\nbest = max(m)\n",
        {"b": ["best"]},
    ),
    "a tag that the code does not show": (
        "# %% step:a\nm = [1]\n# %% step:b prev:a changes:m\nprint(1)\n# %% pipeline-metrics\nbest = max(m)\n",
        {"b": ["best"]},
    ),
    "a frame": (
        "# %% imports\nimport pandas as pd\n# %% step:a\ndf = pd.DataFrame({'a': [1]})\n# %% step:b\ndf['b'] = 1\n"
        "# %% pipeline-metrics\ncols = df.shape[1]\n",
        {"b": ["cols"]},
    ),
    "a model": (FIT.format("", ""), {"train": ["acc"]}),
    "a model, with edges": (FIT.format(" prev:data", " prev:build"), {"train": ["acc"]}),
    "below the cell": (
        "# %% step:a\nm = [1]\n# %% pipeline-metrics\nbest = max(m)\n# %% step:b\nm.append(9)\nprint(m)\n",
        {"a": ["best"]},
    ),
    "only read": (
        "# %% step:a\nm = [1]\n# %% step:b\nprint(len(m))\n# %% pipeline-metrics\nbest = max(m)\n",
        {"a": ["best"]},
    ),
    "perhaps": (
        "# %% step:a\nm = [1]\n# %% step:b prev:a\nimport lib\nlib.grow(m)\n# %% pipeline-metrics\nbest = max(m)\n",
        {"b": ["best"]},
    ),
    "perhaps, and without the other variable": (
        "# %% step:a\nm = [1]\n# %% step:b prev:a\nimport lib\nlib.grow(m)\n# %% step:c prev:a\nleast = 0\n"
        "# %% step:d prev:a\nlib2 = __import__('lib')\nlib2.grow(m)\n# %% pipeline-metrics\nbest = max(*m, least)\n",
        {"c": ["best"]},
    ),
    "a metric of a metric": (
        "# %% step:a\nm = 1\n# %% step:b\nprint('b')\n# %% pipeline-metrics\nhalf = m / 2\nquarter = half / 2\n",
        {"a": ["half", "quarter"]},
    ),
}


@pytest.mark.parametrize(("text", "expected"), CHANGED.values(), ids=CHANGED)
def test_a_metric_is_shown_by_the_last_step_that_changes_it(
    text: str, expected: dict[str, list[str]], tmp_path: Path
) -> None:
    assert shown(tmp_path, text) == expected


def test_the_last_metric_of_a_name_counts(tmp_path: Path) -> None:
    found = planned(tmp_path, "m = acc\nm = m + 1\nprint(m)")
    assert found.pipeline is not None, found.diagnostics
    train = found.pipeline.steps[0]
    assert [m.name for m in train.metrics] == ["m"]
    assert [(c.name, c.source) for c in train.code if "metrics" in c.name] == [
        ("nb.ipynb pipeline-metrics.m", "m = acc"),
        ("nb.ipynb pipeline-metrics.m#2", "m = m + 1"),
    ]


TWICE = (
    "# %% step:a\nx = 1\n# %% pipeline-metrics\n{}\n# %% step:b prev:a\ny = x + 1\nx = y\n# %% pipeline-metrics\n{}\n"
)


@pytest.mark.parametrize(("first", "second"), [("x", "x"), ("x = x", "x = y"), ("m = x", "m = y"), ("m = x", "m = x")])
def test_of_a_name_on_two_steps_the_last_is_shown_and_it_is_said(first: str, second: str, tmp_path: Path) -> None:
    found = plan(write_notebook(tmp_path / "nb.ipynb", TWICE.format(first, second)), {})
    assert found.pipeline is not None, found.diagnostics
    assert [[m.name for m in s.metrics] for s in found.pipeline.steps] == [[], [second[0]]]
    (problem,) = [d for d in found.diagnostics if d.rule.code == "KC412"]
    assert (problem.location.cell, problem.location.line) == (2, 1)
    assert "of step `a` is not shown: cell 4, line 1, names another one of step `b`" in problem.message


def test_tags_show_a_name_on_two_steps(tmp_path: Path) -> None:
    text = TWICE.format("", "x").replace("step:a", "step:a metrics:x")
    assert shown(tmp_path, text) == {"a": ["x"], "b": ["x"]}
