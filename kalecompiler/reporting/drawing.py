"""Pictures of a run as SVG: its graph, when each step ran, confusion matrices and ROC curves."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

from kalecompiler import picture
from kalecompiler.model import Artifact, Output, Parameter, Pipeline, Step
from kalecompiler.reporting.record import Ran, Run

_RULE = re.compile(r"([^{}]+)\{")
WIDTH, ROW = 640.0, 22.0
SIDE = 260.0


def graph(run: Run) -> str:
    """The pipeline's graph; each box has its step's status as a class, how long it took, and leads to `#step-TASK`.

    Its style sheet holds within the picture only.
    """
    drawn, tasks = run.record["graph"], run.record["tasks"]
    steps = tuple(
        Step(
            entry["name"],
            tasks[entry["name"]],
            tuple(entry["after"]),
            tuple(Artifact(i["variable"], i["producer"], i["variable"], i["variable"]) for i in entry["inputs"]),
            tuple(Output(variable, variable) for variable in entry["outputs"]),
            tuple(entry["parameters"]),
        )
        for entry in drawn["steps"]
    )
    parameters = tuple(Parameter(p["name"], p["type"], p["default"]) for p in drawn["parameters"])
    ran = run.tasks
    marks = {name: _mark(ran[task]) for name, task in tasks.items() if task in ran}
    text = picture.to_svg(Pipeline(drawn["pipeline"], run.record["notebook"], steps, parameters), marks)
    return text.replace(picture.STYLE, _RULE.sub(_within, picture.STYLE)).replace("<svg ", '<svg class="graph" ', 1)


def timeline(run: Run) -> str:
    """A bar for each step that ran, from the run's start on; nothing where no step did."""
    spans = [(step, *span) for step in run.steps if (span := _span(step)) is not None]
    if not spans:
        return ""
    first, last = min(start for _, start, _ in spans), max(end for _, _, end in spans)
    scale = WIDTH / max(last - first, 0.001)
    left = max(150.0, *(picture.text_width(step.name, 7.4) + 16 for step, _, _ in spans))
    parts = []
    for row, (step, start, end) in enumerate(spans):
        x, y, width = (start - first) * scale + left, row * ROW, max((end - start) * scale, 2.0)
        parts += [
            f'<text x="{left - 8:.1f}" y="{y + 15:.1f}" text-anchor="end">{escape(step.name)}</text>',
            f'<rect class="{escape(step.status)}" x="{x:.1f}" y="{y + 3:.1f}" width="{width:.1f}" height="16" rx="3"/>',
            f'<text x="{x + width + 6:.1f}" y="{y + 15:.1f}">{duration(end - start)}</text>',
        ]
    return _svg("timeline", WIDTH + left + 70, ROW * len(spans), parts)


def confusion(matrix: Mapping[str, Any]) -> str:
    """A confusion matrix, as KFP's metadata has it, as a table of HTML; darker where there are more."""
    names = [str(spec.get("displayName", "")) for spec in matrix.get("annotationSpecs", [])]
    rows = [row.get("row", []) if isinstance(row, Mapping) else row for row in matrix.get("rows", [])]
    largest = max((abs(value) for row in rows for value in row), default=0) or 1
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(
        f"<tr><th>{escape(name)}</th>" + "".join(_cell(value, largest) for value in row) + "</tr>"
        for name, row in zip(names, rows, strict=False)
    )
    return f'<table class="confusion"><tr><td>true / predicted</td>{head}</tr>{body}</table>'


def roc(points: Sequence[Mapping[str, Any]]) -> str:
    """A ROC curve, as KFP's metadata has it, with the area under it."""
    curve = sorted((float(p.get("falsePositiveRate", 0)), float(p.get("recall", 0))) for p in points)
    pairs = itertools.pairwise(curve)
    area = sum((x2 - x1) * (y1 + y2) / 2 for (x1, y1), (x2, y2) in pairs)
    path = " ".join(f"{30 + x * SIDE:.1f},{10 + (1 - y) * SIDE:.1f}" for x, y in curve)
    middle = 30 + SIDE / 2
    parts = [
        f'<rect class="frame" x="30" y="10" width="{SIDE:.0f}" height="{SIDE:.0f}"/>',
        f'<path class="chance" d="M30 {10 + SIDE:.0f} L{30 + SIDE:.0f} 10"/>',
        f'<polyline class="curve" points="{path}"/>',
        f'<text x="{middle:.0f}" y="{SIDE + 30:.0f}" text-anchor="middle">false positive rate</text>',
        f'<text x="20" y="{10 + SIDE / 2:.0f}" text-anchor="middle" '
        f'transform="rotate(-90 20 {10 + SIDE / 2:.0f})">recall</text>',
        f'<text x="{middle + 20:.0f}" y="{SIDE - 10:.0f}">area {area:.4f}</text>',
    ]
    return _svg("roc", SIDE + 50, SIDE + 40, parts)


def duration(seconds: float) -> str:
    """`0.07 s`, `12.3 s`, `4 min 5 s`, `2 h 3 min`."""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _mark(step: Ran) -> picture.Mark:
    text = f"{step.status}, {duration(step.seconds)}" if step.started else step.status
    return picture.Mark(step.status, text, f"#step-{step.task}")


def _within(rule: re.Match[str]) -> str:
    return ", ".join(f".graph {selector.strip()}" for selector in rule[1].split(",")) + " {"


def _span(step: Ran) -> tuple[float, float] | None:
    if step.started is None or step.ended is None:
        return None
    return datetime.fromisoformat(step.started).timestamp(), datetime.fromisoformat(step.ended).timestamp()


def _cell(value: float, largest: float) -> str:
    return f'<td style="background: rgba(47, 111, 171, {abs(value) / largest * 0.6:.2f})">{_count(value)}</td>'


def _count(value: float) -> str:
    """A number of a matrix: counts with all their digits, also those that JSON made floats."""
    return f"{value:.0f}" if float(value).is_integer() else f"{value:g}"


def _svg(kind: str, width: float, height: float, parts: Sequence[str]) -> str:
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" class="{kind}" role="img" {size}>{"".join(parts)}</svg>'
