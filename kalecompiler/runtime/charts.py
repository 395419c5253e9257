"""What a step shows besides scalars: confusion matrices, ROC curves, classification reports, Markdown and HTML.

Each is an output artifact of its own, of the type that KFP draws. A value of another kind than its tag says fails the
step; one that holds NaN, or is too large, is left out with a warning.
"""

from __future__ import annotations

import json
import math

from . import contract, failure, metrics, parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    Chart = tuple[dict[str, Any], str]
    """The metadata of an artifact, and the text of its file."""

POINTS = 1000  # of a curve, more are thinned out
CLASSES = 500  # of a matrix: with more, KFP cannot store the metadata, nor a browser show them
LITERAL = {ord(mark): "\\" + mark for mark in "\\`*[]|"}  # in a text of Markdown
LITERAL.update({ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"})
WANTED = {
    "confusion": "a square matrix, or a ConfusionMatrixDisplay",
    "roc": "what roc_curve returns (three sequences of one length), or a RocCurveDisplay",
    "report": "what classification_report(..., output_dict=True) returns",
    "markdown": "a text, or an object with _repr_markdown_",
    "html": "a text of HTML, or an object that shows itself as HTML or as an image",
}


def publish(wanted: Sequence[Mapping[str, str]], task: contract.Task, namespace: Mapping[str, Any]) -> None:
    """Write every chart; StepFailed where a value is of another kind than its tag says."""
    for chart in wanted:
        name, kind = chart["variable"], chart["kind"]
        metadata: dict[str, Any] = {}
        text = reason = ""
        if name in namespace:
            value = namespace[name]
            try:
                metadata, text = MAKERS[kind](value, namespace.get(chart.get("labels", "")))
            except _LeftOutError as error:
                reason = str(error)
            except failure.Terminated:
                raise
            except BaseException as error:  # any library's code; whatever it is, the value is of another kind
                raise failure.StepFailed(_refusal(name, kind, value, error)) from error
        else:
            reason = "it is not bound"
        if reason:
            metrics.warn(name, reason)
            text = f"{name} is left out: {reason}\n"
        if kind in ("confusion", "roc"):
            text = json.dumps(metadata)
        contract.write_text(task.new_output(chart["port"]), metrics.text(text))
        task.publish(chart["port"], metadata)


def _refusal(name: str, kind: str, value: Any, error: BaseException) -> str:
    """What is said of a value that is of another kind."""
    try:
        given, reason = _described(value), f" ({error})" if str(error) else ""
    except failure.Terminated:
        raise
    except BaseException:  # the classes may be the notebook's
        given, reason = "odd", ""
    return metrics.text(f"{name!r} is {given}, and `metrics:{name}={kind}` takes {WANTED[kind]}{reason}")


class _LeftOutError(Exception):
    """The value is of the right kind, and cannot be shown; says why."""


def _confusion(value: Any, labels: Any) -> Chart:
    matrix = getattr(value, "confusion_matrix", value)
    for known in (getattr(value, "display_labels", None), getattr(value, "index", None)):
        if labels is None and not callable(known):
            labels = known
    if hasattr(matrix, "columns"):
        matrix = _rows(matrix)
    size = getattr(matrix, "shape", None) or [len(matrix := _sequence(matrix))]
    if size[0] > CLASSES:
        raise _LeftOutError(f"it has {size[0]} rows, and at most {CLASSES} are shown")
    rows = [[_number(cell) for cell in _sequence(row)] for row in _sequence(matrix)]
    if labels is None:
        labels = range(len(rows))
    names = [metrics.text(str(label)) for label in _sequence(labels)]
    if not rows:
        raise ValueError("it is empty")
    if any(len(row) != len(rows) for row in rows):
        raise ValueError("it is not square")
    if len(names) != len(rows):
        raise ValueError(f"it has {len(rows)} rows and {len(names)} labels")
    specs = [{"displayName": name} for name in names]
    return {"confusionMatrix": {"annotationSpecs": specs, "rows": [{"row": row} for row in rows]}}, ""


def _rows(frame: Any) -> Any:
    """The rows of a data frame of pandas or polars; columns named like the rows are put into their order."""
    if not hasattr(frame, "index"):
        return frame.rows()
    names = list(frame.index)
    same = list(frame.columns) != names and set(frame.columns) == set(names)
    return (frame[names] if same else frame).values


def _roc(value: Any, labels: Any) -> Chart:
    if hasattr(value, "columns"):
        value = [value[column] for column in value.columns]
    elif hasattr(value, "fpr"):  # a display: it does not keep the thresholds
        count = len(value.fpr)
        value = value.fpr, value.tpr, [1 - at / max(count - 1, 1) for at in range(count)]
    fpr, tpr, thresholds = (list(_sequence(item)) for item in value)
    if not len(fpr) == len(tpr) == len(thresholds):
        raise ValueError("the three are not of one length")
    if len(thresholds) > 1 and thresholds[0] == math.inf:  # scikit-learn's way to say: nothing is above it
        thresholds[0] = thresholds[1] + 1
    points = [
        {"confidenceThreshold": _number(limit), "recall": _number(true), "falsePositiveRate": _number(false)}
        for false, true, limit in zip(fpr, tpr, thresholds)
    ]
    last = len(points) - 1
    if last >= POINTS:
        points = [points[round(at * last / (POINTS - 1))] for at in range(POINTS)]
    return {"confidenceMetrics": points}, ""


def _report(value: Any, labels: Any) -> Chart:
    table = value.to_dict("index") if hasattr(value, "columns") else value
    columns = list(next(row for row in table.values() if hasattr(row, "keys")))
    lines = [["", *map(_label, columns)], ["---", *("---:" for _ in columns)]]
    for name, row in table.items():
        cells = row if hasattr(row, "keys") else {columns[-2:][0]: row}  # accuracy: one number, below f1-score
        lines.append([_label(name), *(_shown(cells.get(column)) for column in columns)])
    return {}, "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _label(value: Any) -> str:
    """A text as a cell of a Markdown table: nothing in it is markup, and it is one line."""
    return " ".join(str(value).split()).translate(LITERAL)


def _markdown(value: Any, labels: Any) -> Chart:
    return {}, (value if isinstance(value, str) else _text(value._repr_markdown_()))


def _html(value: Any, labels: Any) -> Chart:
    if isinstance(value, str):
        return {}, value
    data, _ = parts.find("rich").representations(value)
    if len(data) < 2:
        raise ValueError("it shows itself as text only")
    page: str = parts.find("htmlreport").shown(data)
    return {}, page


MAKERS: dict[str, Callable[[Any, Any], Chart]] = {
    "confusion": _confusion,
    "roc": _roc,
    "report": _report,
    "markdown": _markdown,
    "html": _html,
}


def _sequence(value: Any) -> Any:
    """What can be gone through in order; TypeError for a text, a mapping, a set or a scalar."""
    if isinstance(value, (str, bytes, dict, set)):
        raise TypeError(f"a {type(value).__name__} is no sequence")
    value = value.tolist() if hasattr(value, "tolist") else value
    return value if hasattr(value, "__getitem__") else list(value)


def _number(value: Any) -> Any:
    """A finite int or float."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, (str, bytes)) or value is None:
        raise TypeError(f"{value!r:.40} is no number")
    number = float(value)
    if not math.isfinite(number):
        raise _LeftOutError("it holds values that are not finite")
    return int(value) if isinstance(value, int) else number


def _shown(value: Any) -> str:
    if value is None:
        return ""
    number = float(value)
    return str(int(number)) if number.is_integer() and number > 1 else f"{number:.4g}"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("it shows itself as no text")
    return value


def _described(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"a {type(value).__name__}" + (f" of shape {tuple(shape)}" if isinstance(shape, tuple) else "")
