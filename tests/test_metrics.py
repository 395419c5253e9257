"""Metrics and charts from tags and cells: on which step, what is wrong, and what KFP's own SDK would write."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import forked
import pytest
import yaml
from support import write_notebook

from kalecompiler import local, results
from kalecompiler.commands import compile_
from kalecompiler.plan import Planned, plan
from kalecompiler.settingrules import METRIC_KINDS

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "notebooks" / "evaluation.ipynb"


def run_here(package: Path, folder: Path) -> Path:
    """Run a package with our own engine; the folder of its steps."""
    spec = yaml.safe_load(package.read_text(encoding="utf-8"))
    result = local.run(spec, arguments={}, folder=folder / "runs", workdir=folder)
    assert result.status is local.Status.SUCCEEDED, result
    return result.folder


def run_by_kfp(package: Path, folder: Path) -> Path:
    """Run it with kfp.local."""
    done = forked.run_by_kfp(folder / "kfp", package, cwd=folder)
    assert done.returncode == 0, done.stdout
    (found,) = (folder / "kfp").iterdir()
    return found


ENGINES = {"kalec run": run_here, "kfp.local": run_by_kfp}


def published(step: Path) -> dict[str, dict[str, Any]]:
    """The metadata of each output of a step."""
    written = json.loads((step / "executor_output.json").read_text("utf-8"), parse_constant=_refuse)
    return {port: entry["artifacts"][0]["metadata"] for port, entry in written["artifacts"].items()}


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def compiled(folder: Path, text: str) -> Path:
    notebook = write_notebook(folder / "nb.ipynb", text)
    (folder / "nb.yaml").write_text(compile_(notebook, {}).compiled.text, encoding="utf-8")
    return folder / "nb.yaml"


def what_kfp_writes(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The metadata that KFP's SDK makes of the values of the example's last step."""
    from kfp import dsl

    scalars, matrix, curve = dsl.Metrics(), dsl.ClassificationMetrics(), dsl.ClassificationMetrics()
    scalars.log_metric("accuracy", float(values["accuracy"]))
    scalars.log_metric("errors", float(1 - values["accuracy"]))
    matrix.log_confusion_matrix(values["cm_labels"], values["cm"].tolist())
    fpr, tpr, thresholds = (item.tolist() for item in values["curve"])
    assert thresholds[0] == float("inf")
    curve.log_roc_curve(fpr, tpr, [thresholds[1] + 1, *thresholds[1:]])
    return {"metrics": scalars.metadata, "cm": matrix.metadata, "curve": curve.metadata}


def evaluated(notebook: Path) -> dict[str, Any]:
    """What the cells of a notebook bind, run from top to bottom."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    names: dict[str, Any] = {"display": print}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    return names


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The example's package, and the values of its notebook."""
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib").use("Agg")
    folder = tmp_path_factory.mktemp("example")
    (folder / "evaluation.yaml").write_text(compile_(EXAMPLE, {}).compiled.text, encoding="utf-8")
    return folder / "evaluation.yaml", evaluated(EXAMPLE)


@pytest.mark.parametrize("run", ENGINES.values(), ids=ENGINES)
def test_the_example_publishes_what_kfps_sdk_writes(
    run: Callable[[Path, Path], Path], example: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    package, values = example
    step = run(package, tmp_path) / "evaluate"
    found = published(step)
    assert {port: found[port] for port in ("metrics", "cm", "curve")} == what_kfp_writes(values)
    assert (found["table"], found["report"]) == ({}, {})
    assert (step / "table").read_text("utf-8").startswith("|  | precision | recall | f1-score | support |\n| --- |")
    page = (step / "report").read_text("utf-8")
    assert '<img src="data:image/png;base64,' in page


def test_the_example_declares_types_that_kfp_draws(example: tuple[Path, dict[str, Any]]) -> None:
    spec = yaml.safe_load(example[0].read_text(encoding="utf-8"))
    artifacts = spec["components"]["comp-evaluate"]["outputDefinitions"]["artifacts"]
    assert {port: entry["artifactType"]["schemaTitle"] for port, entry in artifacts.items()} == {
        "metrics": "system.Metrics",
        "cm": "system.ClassificationMetrics",
        "curve": "system.ClassificationMetrics",
        "table": "system.Markdown",
        "report": "system.HTML",
        "snapshot": "system.Artifact",
    }


STEPS = """
# %% pipeline-parameters
lr = 0.1
# %% step:train {train}
acc = 0.5
loss = 1
# %% step:test prev:train {test}
f1 = acc
cm = [[1, 0], [0, 1]]
cm_labels = "ab"
# %% pipeline-metrics
{cell}
"""


def planned(folder: Path, train: str = "", test: str = "", cell: str = "") -> Planned:
    return plan(write_notebook(folder / "nb.ipynb", STEPS.format(train=train, test=test, cell=cell)), {})


#: tags of train, tags of test, metrics cell -> scalars with what is better, and charts with their labels
SHOWN: dict[str, tuple[str, str, str, dict[str, list[str]]]] = {
    "a tag": ("metrics:acc", "", "", {"train": ["acc "]}),
    "the greater is better": ("metrics:acc=max metrics:loss=min", "", "", {"train": ["acc max", "loss min"]}),
    "a tag and a cell are one": ("metrics:acc=max", "", "print(acc)", {"train": ["acc max"]}),
    "a tag and an expression are one": ("metrics:err=min", "", "err = 1 - acc", {"train": ["err min"]}),
    "a tag below the step that binds it": ("", "metrics:acc", "", {"test": ["acc "]}),
    "on both steps": ("metrics:acc", "metrics:acc", "", {"train": ["acc "], "test": ["acc "]}),
    "a chart with labels": ("", "metrics:cm=confusion", "", {"test": ["cm confusion cm_labels"]}),
    "a chart with no labels": ("", "metrics:cm=html", "", {"test": ["cm html "]}),
    "a scalar and a chart": ("", "metrics:f1 metrics:cm=confusion", "", {"test": ["f1 ", "cm confusion cm_labels"]}),
    "a chart and a scalar of one name": ("", "metrics:f1=markdown", "f1", {"test": ["f1 ", "f1 markdown "]}),
    "a metric of a parameter": ("metrics:lr", "", "", {"train": ["lr "]}),
}


@pytest.mark.parametrize(("train", "test", "cell", "shown"), SHOWN.values(), ids=SHOWN)
def test_shown(train: str, test: str, cell: str, shown: dict[str, list[str]], tmp_path: Path) -> None:
    found = planned(tmp_path, train, test, cell)
    assert found.pipeline is not None, found.diagnostics
    assert {
        s.name: [f"{m.name} {m.better}" for m in s.metrics] + [f"{c.variable} {c.kind} {c.labels}" for c in s.charts]
        for s in found.pipeline.steps
        if s.metrics or s.charts
    } == shown


#: tags of train, tags of test, metrics cell -> the code, its place (cell, line, tag), and a word of the message
WRONG: dict[str, tuple[str, str, str, tuple[str, int, int | None, str]]] = {
    "an unknown kind": ("metrics:acc=pie", "", "", ("KC123", 2, None, "`pie` is none of max, min, confusion, roc")),
    "a misspelt kind": ("metrics:acc=confusoin", "", "", ("KC123", 2, None, "did you mean `confusion`?")),
    "no kind": ("metrics:acc=", "", "", ("KC123", 2, None, "is none of max, min")),
    "no name": ("metrics:", "", "", ("KC102", 2, None, "malformed")),
    "a misspelt tag": ("metric:acc", "", "", ("KC103", 2, None, "misspelt")),
    "two kinds": ("metrics:acc=max metrics:acc=min", "", "", ("KC122", 2, None, "has both `metrics:acc=max`")),
    "a name that nothing binds": ("metrics:accuracy", "", "", ("KC201", 2, None, "`accuracy`")),
    "a name that nothing binds in a cell": ("metrics:acc", "", "acc\nf2", ("KC201", 4, 2, "`f2`")),
    "a name of a later step": ("metrics:f1", "", "", ("KC203", 2, None, "`f1`")),
}


@pytest.mark.parametrize(("train", "test", "cell", "expected"), WRONG.values(), ids=WRONG)
def test_wrong(train: str, test: str, cell: str, expected: tuple[str, int, int | None, str], tmp_path: Path) -> None:
    found = planned(tmp_path, train, test, cell)
    (problem,) = found.diagnostics
    assert (problem.rule.code, problem.location.cell, problem.location.line) == expected[:3]
    assert expected[3] in f"{problem.message} {problem.hint}"


def test_a_tag_outside_a_step_has_no_effect(tmp_path: Path) -> None:
    text = "# %% imports metrics:x\nimport os\n# %% step:a\nx = os.sep\nprint(x)\n"
    (problem,) = plan(write_notebook(tmp_path / "nb.ipynb", text), {}).diagnostics
    assert (problem.rule.code, problem.location.tag) == ("KC110", "metrics:x")


def test_a_table_names_metrics_too_and_a_tag_wins(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.kalecompiler.steps.train]\nmetrics = ["acc=min", "loss"]\n')
    found = planned(tmp_path, "metrics:acc=max")
    assert [(m.name, m.better) for m in found.draft.steps[0].metrics] == [("acc", "max"), ("loss", "")]


def test_a_table_that_names_what_nothing_binds_is_found(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.kalecompiler.steps.train]\nmetrics = ["accuracy"]\n')
    (problem,) = planned(tmp_path).diagnostics
    assert (problem.rule.code, Path(problem.location.path).name) == ("KC201", "pyproject.toml")


def test_ports_are_free(tmp_path: Path) -> None:
    text = (
        "# %% step:a metrics:x=html metrics:y\nreport, metrics, x, y = 1, 2, 'a', 4\n"
        "# %% step:b prev:a\nprint(report, metrics, x)\n"
    )
    step = plan(write_notebook(tmp_path / "nb.ipynb", text), {}).draft.steps[0]
    outputs = {output.port for output in step.outputs}
    shown = {step.metrics_port, step.report_port, *(chart.port for chart in step.charts)}
    assert outputs == {"report", "metrics", "x"}
    assert len(shown) == 3
    assert not shown & outputs


def test_what_is_better_is_in_the_package(tmp_path: Path) -> None:
    package = compiled(tmp_path, "# %% step:a metrics:x=min\nx = 1\n")
    assert '"better": "min"' in package.read_text("utf-8")


def test_the_notebook_of_the_page(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^```notebook\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    folder = run_here(compiled(tmp_path, text), tmp_path)
    found = published(folder / "train")["metrics"]
    assert found == {"accuracy": 0.9, "loss": 0.25, "hits": 9, "error": pytest.approx(0.1)}


def test_the_tags_of_the_page_are_those_that_there_are() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `metrics:\w+=(\w+)` \| .* \| `(system\.\w+)` \|$", page, re.MULTILINE)
    assert dict(rows) == results.SCHEMAS
    assert set(METRIC_KINDS) == {"max", "min", *results.SCHEMAS}


ODD = """
# %% step:a metrics:missing metrics:worst=max
import sys
value = float("nan")
if len(sys.argv) > 5:
    missing = 1
worst = -1e400
divided = "not this one"
# %% pipeline-metrics
value
divided = 1 / len(sys.argv[1:])
fine = len(sys.argv)
# %% step:b prev:a
print(value, "went on")
"""


@pytest.mark.parametrize("run", ENGINES.values(), ids=ENGINES)
def test_no_run_fails_because_of_a_metric(run: Callable[[Path, Path], Path], tmp_path: Path) -> None:
    folder = run(compiled(tmp_path, ODD), tmp_path)
    assert published(folder / "a")["metrics"] == {"fine": 1}
    assert set(published(folder / "b")) == {"report", "snapshot"}


def test_the_log_says_why_a_metric_is_left_out(tmp_path: Path) -> None:
    said = (run_here(compiled(tmp_path, ODD), tmp_path) / "a" / "log.txt").read_text("utf-8")
    assert [line for line in said.splitlines() if "metric" in line] == [
        "kalec: warning: metric 'divided' is left out: ZeroDivisionError: division by zero",
        "kalec: warning: metric 'value' is left out: nan is no finite scalar",
        "kalec: warning: metric 'missing' is left out: it is not bound",
        "kalec: warning: metric 'worst' is left out: -inf is no finite scalar",
    ]


def test_a_chart_of_another_kind_fails_the_run_and_says_what_was_expected(tmp_path: Path) -> None:
    package = compiled(tmp_path, "# %% step:a metrics:cm=confusion\ncm = {'a': 1}\n")
    spec = yaml.safe_load(package.read_text(encoding="utf-8"))
    result = local.run(spec, arguments={}, folder=tmp_path / "runs", workdir=tmp_path)
    assert result.status is local.Status.FAILED
    failure = result.steps[0].failure
    assert failure is not None
    expected = "'cm' is a dict, and `metrics:cm=confusion` takes a square matrix, or a ConfusionMatrixDisplay"
    assert expected in failure.tail[-1]


def test_charts_and_reports_are_no_outputs_and_no_scalars_of_a_result(tmp_path: Path) -> None:
    package = compiled(
        tmp_path, "# %% step:a metrics:cm=confusion metrics:x\ncm = [[1]]\nx = 2\n# %% step:b\nprint(x)\n"
    )
    spec = yaml.safe_load(package.read_text(encoding="utf-8"))
    result = local.run(spec, arguments={}, folder=tmp_path / "runs", workdir=tmp_path)
    assert (set(result.steps[0].outputs), dict(result.steps[0].metrics)) == ({"x"}, {"x": 2})


def test_a_metric_reads_what_an_earlier_step_handed_on(tmp_path: Path) -> None:
    text = "# %% step:a\nn = 4\n# %% step:b prev:a metrics:n metrics:half\nhalf = n / 2\n"
    folder = run_here(compiled(tmp_path, text), tmp_path)
    assert published(folder / "b")["metrics"] == {"n": 4, "half": 2.0}


def test_a_later_step_reads_what_a_metrics_cell_computes(tmp_path: Path) -> None:
    text = "# %% step:a\nn = 4\n# %% pipeline-metrics\nhalf = n / 2\n# %% step:b prev:a\nassert half == 2\n"
    folder = run_here(compiled(tmp_path, text), tmp_path)
    assert published(folder / "a")["metrics"] == {"half": 2.0}


def test_a_class_that_refuses_every_question_fails_no_run(tmp_path: Path) -> None:
    text = (
        "# %% step:a metrics:x metrics:y\nclass Meta(type):\n    def __getattribute__(self, name):\n"
        "        raise RuntimeError(name)\nclass Shy(metaclass=Meta):\n    pass\nx = Shy\ny = 1\n"
    )
    assert published(run_here(compiled(tmp_path, text), tmp_path) / "a")["metrics"] == {"y": 1}
