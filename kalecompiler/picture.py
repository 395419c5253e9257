"""A pipeline as an SVG picture, written with nothing but Python: boxes in layers, arrows with the variables' names."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape

from kalecompiler.graph import Edge, edges, ranks, wrapped
from kalecompiler.layout import Layout, Place, Size, layout
from kalecompiler.model import Pipeline, Step

_QUOTES = {'"': "&quot;"}
MARGIN = 24.0
LINE = 15.0
MOST_LINES = 4
STYLE = """\
text { font-family: ui-sans-serif, "DejaVu Sans", Helvetica, Arial, sans-serif; fill: #1f2933; text-anchor: middle; }
.title { font-size: 17px; font-weight: 600; } .note { font-size: 11px; fill: #52606d; }
.step { fill: #e8f1fb; stroke: #2f6fab; stroke-width: 1.2; } .name { font-size: 14px; }
.edge { fill: none; stroke: #7b8794; stroke-width: 1.3; } .order { stroke-dasharray: 5 4; }
.variables { font-size: 11px; } .under { fill: #ffffff; } .head { fill: #7b8794; }"""


@dataclass(frozen=True, slots=True)
class Mark:
    """What to show of a step beside its name: a class for its box, a line of text below, where a click leads."""

    kind: str = ""
    text: str = ""
    link: str = ""


def to_svg(pipeline: Pipeline, marks: Mapping[str, Mark] | None = None) -> str:
    """The picture, as the text of an SVG file; an arrow that only gives the order is dashed.

    `marks` are by the steps' names; the classes that they name are the caller's to define.
    """
    marks = marks or {}
    arrows = edges(pipeline.steps)
    plan = layout(
        {step.name: _box(step, marks.get(step.name, Mark())) for step in pipeline.steps},
        ranks(pipeline.steps),
        [(arrow.source, arrow.target, _label_size(arrow)) for arrow in arrows],
    )
    heading = [pipeline.name, *_parameters(pipeline)]
    width = max(plan.width, *(text_width(line, 9.5) for line in heading)) + 2 * MARGIN
    top = MARGIN + 24 + LINE * len(heading)
    height = top + plan.height + MARGIN
    shift = (width - plan.width) / 2
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}">',
            f"<title>{_text(pipeline.name)}</title>",
            f"<style>{STYLE}</style>",
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
            'orient="auto"><path class="head" d="M0 0 L8 4 L0 8 z"/></marker></defs>',
            '<rect class="under" width="100%" height="100%"/>',
            *_heading(heading, width / 2),
            f'<g transform="translate({shift:.1f} {top:.1f})">',
            *_drawing(pipeline, arrows, plan, marks),
            "</g>",
            "</svg>",
            "",
        ]
    )


def _heading(lines: list[str], middle: float) -> Iterable[str]:
    for number, line in enumerate(lines):
        kind = "note" if number else "title"
        yield f'<text class="{kind}" x="{middle:.1f}" y="{MARGIN + 6 + number * (LINE + 3):.1f}">{_text(line)}</text>'


def _drawing(pipeline: Pipeline, arrows: tuple[Edge, ...], plan: Layout, marks: Mapping[str, Mark]) -> Iterable[str]:
    """Lines first, so that labels and boxes lie over them."""
    routed = [(arrow, route) for arrow, route in zip(arrows, plan.routes, strict=True) if route]
    for arrow, route in routed:
        kind = "edge" if arrow.variables else "edge order"
        yield f'<path class="{kind}" marker-end="url(#head)" d="{_path(route)}"/>'
    for arrow, route in routed:
        yield from _label(arrow, route[-2])
    for step in pipeline.steps:
        yield from _step(step, plan.boxes[step.name], marks.get(step.name, Mark()))


def _path(route: tuple[Place, ...]) -> str:
    """From the lower edge of the first place to the upper edge of the last; every bend starts and ends upright."""
    first, *rest = route
    x, y = first.x, first.y + first.height
    parts = [f"M{x:.1f} {y:.1f}"]
    for place in rest:
        middle = (y + place.y) / 2
        parts.append(f"C{x:.1f} {middle:.1f} {place.x:.1f} {middle:.1f} {place.x:.1f} {place.y:.1f}")
        x, y = place.x, place.y + place.height
        if place is not rest[-1]:
            parts.append(f"V{y:.1f}")
    return " ".join(parts)


def _label(arrow: Edge, place: Place) -> Iterable[str]:
    if not arrow.variables:
        return
    left = place.x - place.width / 2
    yield (
        f'<rect class="under" x="{left:.1f}" y="{place.y:.1f}" width="{place.width:.1f}" height="{place.height:.1f}"/>'
    )
    yield f'<g class="variables"><title>{_text(f"{arrow.source} to {arrow.target}: {arrow.label}")}</title>'
    for number, line in enumerate(_label_lines(arrow)):
        y = place.y + LINE * (number + 1) - 4
        yield f'<text class="variables" x="{place.x:.1f}" y="{y:.1f}">{_text(line)}</text>'
    yield "</g>"


def _step(step: Step, place: Place, mark: Mark) -> Iterable[str]:
    left, middle = place.x - place.width / 2, place.y + place.height / 2 + (-3 if mark.text else 5)
    if mark.link:
        yield f'<a href="{_text(mark.link, _QUOTES)}">'
    yield f"<g><title>{_text(_tooltip(step))}</title>"
    yield (
        f'<rect class="{f"step {mark.kind}".strip()}" rx="6" x="{left:.1f}" y="{place.y:.1f}" '
        f'width="{place.width:.1f}" height="{place.height:.1f}"/>'
    )
    yield f'<text class="name" x="{place.x:.1f}" y="{middle:.1f}">{_text(step.name)}</text>'
    if mark.text:
        yield f'<text class="note" x="{place.x:.1f}" y="{middle + LINE + 1:.1f}">{_text(mark.text)}</text>'
    yield "</g></a>" if mark.link else "</g>"


def _tooltip(step: Step) -> str:
    lists = {"parameters": step.parameters, "hands on": [output.variable for output in step.outputs]}
    lines = [f"{title}: {', '.join(sorted(names))}" for title, names in lists.items() if names]
    return "\n".join([step.name, *lines])


def _parameters(pipeline: Pipeline) -> list[str]:
    return wrapped(", ".join(parameter.name for parameter in pipeline.parameters), 70)


def _box(step: Step, mark: Mark) -> Size:
    width = max(text_width(step.name, 8.4), text_width(mark.text, 6.6)) + 28
    return Size(max(80.0, width), 48.0 if mark.text else 36.0)


def _label_size(arrow: Edge) -> Size:
    lines = _label_lines(arrow)
    if not lines:
        return Size(2.0, LINE)
    return Size(max(text_width(line, 6.6) for line in lines) + 8, LINE * len(lines) + 2)


def _label_lines(arrow: Edge) -> list[str]:
    """The variables in a few lines; the rest of a long list is counted, and stands in the tooltip."""
    lines = wrapped(arrow.label, 20)
    if len(lines) <= MOST_LINES:
        return lines
    shown = lines[: MOST_LINES - 1]
    hidden = len(arrow.variables) - sum(len(line.rstrip(",").split(", ")) for line in shown)
    return [*shown, f"and {hidden} more"]


def text_width(text: str, advance: float) -> float:
    """About how wide a text is: letters of Chinese, Japanese and Korean are twice as wide as others."""
    return advance * sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _text(text: str, also: Mapping[str, str] | None = None) -> str:
    """Text for XML: escaped, and what XML cannot hold is replaced."""
    return escape(
        "".join(char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text),
        also or {},
    )
