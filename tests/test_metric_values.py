"""What a step shows of values of every kind: the tables of docs/metrics.md, row by row."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from runtime_steps import Done, run, step

from kalecompiler.runtime import charts, failure, metrics

PAGE = (Path(__file__).parent.parent / "docs" / "metrics.md").read_text(encoding="utf-8")
MODULES = {"np": "numpy", "pd": "pandas", "torch": "torch"}
LIBRARIES = "import datetime, decimal, enum, fractions\n"


def table(head: str) -> list[list[str]]:
    """The rows of the table whose first columns have that head."""
    found = re.search(rf"^\| {head} \|.*\n\|[-: |]*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert found, head
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in found[1].splitlines()]


VALUES = [(row[0].strip("`"), row[1].strip("`")) for row in table(r"value \| shown as")]
REFUSED = [(row[0].strip("`"), row[1].strip("`"), row[2]) for row in table(r"tag \| value")]


def evaluated(expression: str) -> Any:
    """The value of an expression that may use numpy, pandas and torch; the test is skipped without them."""
    names: dict[str, Any] = {}
    exec(LIBRARIES, names)
    for short, module in MODULES.items():
        if re.search(rf"\b{short}\.", expression):
            names[short] = pytest.importorskip(module)
    return eval(expression, names)


def strict(text: str) -> Any:
    """JSON that every reader takes; ValueError for NaN and Infinity."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    return json.loads(text, parse_constant=refuse)


def test_the_table_is_long() -> None:
    assert len(VALUES) >= 40


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("expression", "shown"), VALUES, ids=[expression for expression, _ in VALUES])
def test_a_scalar(expression: str, shown: str) -> None:
    found = metrics.plain(evaluated(expression))
    if shown == "left out":
        assert found is None
        return
    expected = eval(shown)
    assert type(found) is type(expected)
    assert json.dumps(found, allow_nan=False) == json.dumps(expected)
    found_again = strict(json.dumps(found))
    assert math.copysign(1, found_again) == math.copysign(1, expected) if shown == "-0.0" else found_again == expected


def steps_with_all(pattern: str) -> tuple[str, list[tuple[str, str]]]:
    """A cell that binds every value of the table that the standard library and what `pattern` names can make."""
    rows = [(e, s) for e, s in VALUES if not re.search(r"\b(np|pd|torch)\.", e) or re.search(pattern, e)]
    return "\n".join(f"v{number} = {expression}" for number, (expression, _) in enumerate(rows)), rows


def test_no_step_fails_because_of_a_scalar_and_its_files_are_strict(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    source, rows = steps_with_all(r"\b(np|pd)\.")
    names = [f"v{number}" for number in range(len(rows))] + ["unbound"]
    wanted = {"port": "metrics", "values": [{"name": name, "variable": name} for name in names]}
    source = f"{LIBRARIES}import numpy as np, pandas as pd\nnp.seterr(all='ignore')\n{source}"
    done = run(tmp_path, step(source, metrics=wanted))
    assert done.status == 0, done.err
    written = strict((done.folder / "executor_output.json").read_text("utf-8"))
    found = written["artifacts"]["metrics"]["artifacts"][0]["metadata"]
    assert found == {f"v{number}": eval(s) for number, (_, s) in enumerate(rows) if s != "left out"}
    assert strict((done.folder / "artifacts" / "metrics").read_text("utf-8")) == found
    left_out = re.findall(r"^kalec: warning: metric '(\w+)' is left out: ", done.err, re.MULTILINE)
    assert left_out == [name for name in names if name not in found]


def charted(folder: Path, source: str, *wanted: str) -> Done:
    """A step that shows variables, each given as in a tag: `cm=confusion`, `cm=confusion=labels`."""
    found = []
    for text in wanted:
        variable, kind, *labels = text.split("=")
        chart = {"variable": variable, "kind": kind, "port": f"{variable}_port"}
        found.append(chart | ({"labels": labels[0]} if labels else {}))
    return run(folder, step(source, metrics={"charts": found}))


@pytest.mark.parametrize(("tag", "expression", "message"), REFUSED, ids=[f"{t} {e}" for t, e, _ in REFUSED])
def test_a_value_of_another_kind_says_what_was_expected(
    tag: str, expression: str, message: str, tmp_path: Path
) -> None:
    if "np." in expression:
        pytest.importorskip("numpy")
    imports = "import numpy as np\n" if "np." in expression else ""
    done = charted(tmp_path, f"{imports}x = {expression}", tag.removeprefix("metrics:"))
    assert done.status == 1
    assert message in done.err
    assert "kalec: step work failed: " in done.err
    assert "Traceback" not in done.err


CHARTS = {
    "a list of lists": ("x = [[3, 1], [0, 2]]", "x=confusion", ["0", "1"], [[3, 1], [0, 2]]),
    "labels of a variable": (
        "x = [[3, 1], [0, 2]]\nx_labels = 'ab', 7",
        "x=confusion=x_labels",
        ["ab", "7"],
        [[3, 1], [0, 2]],
    ),
    "an array": ("import numpy as np\nx = np.array([[3, 1], [0, 2]])", "x=confusion", ["0", "1"], [[3, 1], [0, 2]]),
    "an array of shares": (
        "import numpy as np\nx = np.eye(2) / 2",
        "x=confusion",
        ["0", "1"],
        [[0.5, 0.0], [0.0, 0.5]],
    ),
    "a matrix of numpy": (
        "import numpy as np\nx = np.asmatrix('1 2; 3 4')",
        "x=confusion",
        ["0", "1"],
        [[1, 2], [3, 4]],
    ),
    "a data frame": (
        "import pandas as pd\nx = pd.crosstab(pd.Series(['a', 'b', 'b']), pd.Series(['a', 'a', 'b']))",
        "x=confusion",
        ["a", "b"],
        [[1, 0], [1, 1]],
    ),
    "a data frame with names of its own": (
        "import pandas as pd\nx = pd.DataFrame([[3, 1], [0, 2]], ['is a', 'is b'], ['said a', 'said b'])",
        "x=confusion",
        ["is a", "is b"],
        [[3, 1], [0, 2]],
    ),
    "a data frame whose columns stand in another order": (
        "import pandas as pd\nx = pd.DataFrame([[3, 1], [0, 2]], ['a', 'b'], ['b', 'a'])",
        "x=confusion",
        ["a", "b"],
        [[1, 3], [2, 0]],
    ),
    "a data frame without an index": (
        "class F:\n    columns = ['a', 'b']\n    def rows(self):\n        return [(3, 1), (0, 2)]\nx = F()",
        "x=confusion",
        ["0", "1"],
        [[3, 1], [0, 2]],
    ),
    "one class": ("x = [[5]]", "x=confusion", ["0"], [[5]]),
    "a display": (
        "from sklearn.metrics import ConfusionMatrixDisplay as D\n"
        "x = D.from_predictions(['n', 'y', 'y'], ['y', 'y', 'y'])",
        "x=confusion",
        ["n", "y"],
        [[0, 1], [0, 2]],
    ),
}


@pytest.mark.parametrize(("source", "chart", "labels", "rows"), CHARTS.values(), ids=CHARTS)
def test_a_confusion_matrix(
    source: str, chart: str, labels: list[str], rows: list[list[float]], tmp_path: Path
) -> None:
    for module in ("numpy", "pandas", "sklearn"):
        if module in source:
            pytest.importorskip(module)
    done = charted(tmp_path, source, chart)
    assert done.status == 0, done.err
    matrix = done.artifacts["x_port"]["metadata"]["confusionMatrix"]
    assert [spec["displayName"] for spec in matrix["annotationSpecs"]] == labels
    assert [row["row"] for row in matrix["rows"]] == rows


def roc(value: Any) -> list[tuple[float, float, float]]:
    """The points that are published for a value: false positive rate, recall, threshold."""
    points = charts.MAKERS["roc"](value, None)[0]["confidenceMetrics"]
    return [(p["falsePositiveRate"], p["recall"], p["confidenceThreshold"]) for p in points]


def test_the_infinite_first_threshold_of_a_curve_is_one_above_the_second() -> None:
    curve = roc(([0, 0.5, 1], [0, 1, 1], [math.inf, 0.75, 0.25]))
    assert curve == [(0, 0, 1.75), (0.5, 1, 0.75), (1, 1, 0.25)]


def test_a_curve_of_arrays_a_frame_and_a_display_are_the_same_points() -> None:
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    display = pytest.importorskip("sklearn.metrics").RocCurveDisplay
    fpr, tpr, limits = np.array([0, 0.5, 1]), np.array([0, 1, 1.0]), np.array([np.inf, 0.75, 0.25])
    expected = [(0, 0, 1.75), (0.5, 1, 0.75), (1, 1, 0.25)]
    assert roc((fpr, tpr, limits)) == expected
    assert roc(pd.DataFrame({"fpr": fpr, "tpr": tpr, "thresholds": limits})) == expected
    assert roc(display(fpr=fpr, tpr=tpr)) == [(0, 0, 1.0), (0.5, 1, 0.5), (1, 1, 0.0)]


def test_a_long_curve_is_thinned_and_keeps_its_ends() -> None:
    long = [at / 5000 for at in range(5001)]
    curve = roc((long, long, [1 - at for at in long]))
    assert len(curve) == charts.POINTS
    assert (curve[0], curve[-1]) == ((0, 0, 1), (1, 1, 0))
    assert curve == sorted(curve)


@pytest.mark.parametrize("value", ["[[1, float('nan')], [0, 2]]", "[[1, 0], [0, float('inf')]]"])
def test_a_chart_that_is_not_finite_is_left_out_with_a_warning(value: str, tmp_path: Path) -> None:
    done = charted(tmp_path, f"x = {value}", "x=confusion")
    assert done.status == 0
    assert done.artifacts["x_port"]["metadata"] == {}
    assert done.err == "kalec: warning: metric 'x' is left out: it holds values that are not finite\n"


@pytest.mark.parametrize(
    "matrix",
    [
        "[[0] * 501] * 501",
        "type('Sparse', (), {'shape': (10**6, 10**6)})()",
    ],
    ids=["a list", "one that could not be gone through"],
)
def test_a_matrix_that_nobody_could_look_at_is_left_out_with_a_warning(matrix: str, tmp_path: Path) -> None:
    done = charted(tmp_path, f"x = {matrix}", "x=confusion")
    assert (done.status, done.artifacts["x_port"]["metadata"]) == (0, {})
    assert done.err.endswith("rows, and at most 500 are shown\n")


def test_a_chart_whose_variable_is_not_bound_is_left_out_with_a_warning(tmp_path: Path) -> None:
    done = charted(tmp_path, "if False:\n    x = 1", "x=markdown")
    assert done.status == 0
    assert done.err == "kalec: warning: metric 'x' is left out: it is not bound\n"
    assert (done.folder / "artifacts" / "x_port").exists()


@pytest.mark.parametrize("kind", ["markdown", "html"])
def test_an_empty_text_is_an_empty_page(kind: str, tmp_path: Path) -> None:
    done = charted(tmp_path, "x = ''", f"x={kind}")
    assert (done.status, done.err) == (0, "")
    assert (done.folder / "artifacts" / "x_port").read_text("utf-8") == ""


def test_a_chart_that_is_left_out_leaves_a_valid_file(tmp_path: Path) -> None:
    done = charted(tmp_path, "x = [[float('nan')]]", "x=confusion", "y=roc", "z=markdown")
    assert done.status == 0
    assert [strict((done.folder / "artifacts" / name).read_text("utf-8")) for name in ("x_port", "y_port")] == [{}, {}]
    assert (done.folder / "artifacts" / "z_port").read_text("utf-8") == "z is left out: it is not bound\n"


def test_what_utf_8_cannot_hold_is_replaced_in_charts(tmp_path: Path) -> None:
    source = "note = page = 'caf\\udce9'\nx = [[1]]\nx_labels = [note]\nt = {note: {note: 1}}"
    wanted = ("note=markdown", "page=html", "x=confusion=x_labels", "t=report")
    done = charted(tmp_path, source, *wanted)
    assert done.status == 0, done.err
    for name in ("note", "page", "t"):
        assert "caf?" in (done.folder / "artifacts" / f"{name}_port").read_text("utf-8")
    assert done.artifacts["x_port"]["metadata"]["confusionMatrix"]["annotationSpecs"] == [{"displayName": "caf?"}]


HOSTILE = """
import sys
class Meta(type):
    def __getattribute__(self, name):
        raise ValueError(name)
class Odd(metaclass=Meta):
    pass
def leave(self=None, *rest):
    raise SystemExit(3)
def interrupt(self=None, *rest):
    raise KeyboardInterrupt
class Failing(Exception):
    __str__ = leave
def fail():
    raise Failing
values = [
    Odd(),
    type("Float", (), {"__float__": leave})(),
    type("Float", (), {"__float__": interrupt})(),
    type("Gone", (), {"__getattribute__": leave})(),
    type("Text", (str,), {"__getitem__": lambda self, at: 3, "__str__": leave})("a"),
    type("Time", (), {"total_seconds": lambda self: float("nan"), "__eq__": lambda self, other: True})(),
    type("Date", (), {"isoformat": lambda self: {1: 2}})(),
    type("Whole", (int,), {"__str__": leave, "__float__": leave})(7),
]
v0, v1, v2, v3, v4, v5, v6, v7 = values
del values
"""
EXPRESSIONS = ["sys.exit('no')", "leave()", "interrupt()", "fail()", "Odd.x", "leave() if good else 0"]


def test_no_step_fails_because_of_a_metric_that_tries_to(tmp_path: Path) -> None:
    names = [f"v{number}" for number in range(8)] + [f"e{number}" for number in range(len(EXPRESSIONS))]
    wanted = {"port": "metrics", "values": [{"name": name, "variable": name} for name in [*names, "good"]]}
    content = step(HOSTILE + "good = 1", metrics=wanted)
    content["code"] += [  # type: ignore[operator]
        {"kind": "metric", "name": f"nb.ipynb pipeline-metrics.e{number}", "source": [f"e{number} = {expression}"]}
        for number, expression in enumerate(EXPRESSIONS)
    ]
    done = run(tmp_path, content)
    assert done.status == 0, done.err
    assert done.artifacts["metrics"]["metadata"] == {"good": 1}
    assert sorted(re.findall(r"metric '(\w+)' is left out", done.err)) == sorted(names)
    assert "metric 'e0' is left out: SystemExit: no\n" in done.err
    assert "Traceback" not in done.err


def test_the_last_expression_of_a_name_tells_whether_it_is_left_out(tmp_path: Path) -> None:
    wanted = {"port": "metrics", "values": [{"name": name, "variable": name} for name in ("first", "last")]}
    content = step("x = 1", metrics=wanted)
    content["code"] += [  # type: ignore[operator]
        {
            "kind": "metric",
            "name": f"nb.ipynb pipeline-metrics.{name}",
            "source": [f"{name.partition('#')[0]} = {value}"],
        }
        for name, value in (("first", "1 / 0"), ("first#2", "x"), ("last", "x"), ("last#2", "1 / 0"))
    ]
    done = run(tmp_path, content)
    assert (done.status, done.artifacts["metrics"]["metadata"]) == (0, {"first": 1})


def test_a_metric_that_is_waited_for_can_be_terminated(tmp_path: Path) -> None:
    wanted = {"port": "metrics", "values": [{"name": "m", "variable": "m"}]}
    source = "import os, signal, time\ndef wait():\n    os.kill(os.getpid(), signal.SIGTERM)\n    time.sleep(5)"
    content = step(source, metrics=wanted)
    content["code"] += [{"kind": "metric", "name": "nb.ipynb pipeline-metrics.m", "source": ["m = wait()"]}]  # type: ignore[operator]
    done = run(tmp_path, content)
    assert done.status == 143


REPORT = """| | precision | support |
| --- | ---: | ---: |
| a\\|b | 0.5 | 1200 |
| c | nan |  |
| accuracy | 0.3333 |  |
"""


def test_a_classification_report_is_a_table() -> None:
    value = {"a|b": {"precision": 0.5, "support": 1200.0}, "c": {"precision": math.nan}, "accuracy": 1 / 3}
    assert charts.MAKERS["report"](value, None) == ({}, REPORT.replace("| | p", "|  | p", 1))


def test_labels_of_a_report_are_text() -> None:
    _, text = charts.MAKERS["report"]({"<b>\n# a & *b*": {"a\nb": 0.5}}, None)
    assert text == "|  | a b |\n| --- | ---: |\n| &lt;b&gt; # a &amp; \\*b\\* | 0.5 |\n"


def test_a_classification_report_as_a_frame_is_the_same_table() -> None:
    pd = pytest.importorskip("pandas")
    report = pytest.importorskip("sklearn.metrics").classification_report([0, 1, 1], [0, 1, 0], output_dict=True)
    report.pop("accuracy")  # a frame repeats it in all columns
    assert charts.MAKERS["report"](pd.DataFrame(report).T, None) == charts.MAKERS["report"](report, None)


SHOWN = {
    "a text of Markdown": ("x = '# Good'", "markdown", "# Good"),
    "an object of IPython": (
        "class M:\n    def _repr_markdown_(self):\n        return '*Good*'\nx = M()",
        "markdown",
        "*Good*",
    ),
    "a text of HTML": ("x = '<b>Good</b>'", "html", "<b>Good</b>"),
    "an object with HTML": ("class H:\n    def _repr_html_(self):\n        return '<i>'\nx = H()", "html", "<i>"),
    "a frame": ("import pandas as pd\nx = pd.DataFrame({'a<b': ['<script>']})", "html", "&lt;script&gt;"),
    "a figure": (
        "import matplotlib.pyplot as plt\nx = plt.figure()",
        "html",
        '<img src="data:image/png;base64,iVBORw0KGgo',
    ),
}


@pytest.mark.parametrize(("source", "kind", "text"), SHOWN.values(), ids=SHOWN)
def test_a_page(source: str, kind: str, text: str, tmp_path: Path) -> None:
    for module in ("pandas", "matplotlib"):
        if module in source:
            pytest.importorskip(module)
    done = charted(tmp_path, source, f"x={kind}")
    assert done.status == 0, done.err
    assert text in (done.folder / "artifacts" / "x_port").read_text("utf-8")
    assert done.artifacts["x_port"]["metadata"] == {}


def test_a_broken_representation_is_no_page(tmp_path: Path) -> None:
    task: Any = None
    odd = type("Odd", (), {"_repr_markdown_": lambda self: 7})()
    with pytest.raises(failure.StepFailed, match="'x' is a Odd, and `metrics:x=markdown` takes a text"):
        charts.publish([{"variable": "x", "kind": "markdown", "port": "x"}], task, {"x": odd})
