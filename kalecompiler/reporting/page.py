"""A run as one HTML page that needs nothing else: no script, no request, and everything that is text escaped."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kalecompiler.reporting import cellhtml, drawing, twins
from kalecompiler.reporting.executed import executed
from kalecompiler.reporting.record import Made, Ran, Run
from kalecompiler.snapshots import quantities
from kalecompiler.snapshots.artifact import METADATA_FORMAT

LONGEST_FILE = 4 << 20
_HERE = Path(__file__).parent
# The browser itself keeps the page from loading or running anything, whatever the outputs hold.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; form-action 'none'"
)


def render(run: Run) -> str:
    """The page. Raises UsageError where nbconvert is not installed."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    book, reports = executed(run), run.record.get("reports", {})
    _label(book)
    body, highlight = cellhtml.cells(book)
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"shown": shown, "duration": drawing.duration, "size": _size, "beside": quantities.values}
    return environment.get_template("page.html.jinja").render(
        policy=POLICY,
        style=(_HERE / "page.css").read_text(encoding="utf-8") + highlight,
        run=run,
        record=run.record,
        provenance=run.record.get("provenance", {}),
        graph=drawing.graph(run),
        timeline=drawing.timeline(run),
        charts=[(step, title, text) for step in run.steps for title, text in charts(step, reports.get(step.task))],
        lineage=list(lineage(run)),
        twins=twins.disagreeing(run.folder),
        cells=body,
    )


def charts(step: Ran, hidden: str | None) -> Iterator[tuple[str, str]]:
    """(title, HTML) of each artifact of a step that KFP's page draws: confusion matrices, curves, HTML, Markdown.

    `hidden` is the port of the step's own report: what that shows stands in the notebook.
    """
    for made in step.made:
        if made.port == hidden:
            continue
        if matrix := made.metadata.get("confusionMatrix"):
            yield made.port, drawing.confusion(matrix)
        if points := made.metadata.get("confidenceMetrics"):
            yield made.port, drawing.roc(points)
        if made.type in ("system.HTML", "system.Markdown"):
            yield made.port, _file(made)


def lineage(run: Run) -> Iterator[dict[str, Any]]:
    """Each artifact: what it is, which step made it, and which read it."""
    readers: dict[tuple[str, str], list[str]] = {}
    for step in run.steps:
        for uri in step.reads.values():
            readers.setdefault((Path(uri).parent.name, Path(uri).name), []).append(step.name)
    for step in run.steps:
        for made in step.made:
            known = made.metadata
            if made.port == run.record.get("reports", {}).get(step.task) or known.get("format") == METADATA_FORMAT:
                continue
            yield {
                "name": known.get("variable", made.port),
                "type": known.get("type", made.type),
                "shape": " x ".join(str(n) for n in known.get("shape", ())),
                "size": known.get("size"),
                "digest": str(known.get("digest", "")).removeprefix("sha256:"),
                "step": step,
                "readers": sorted(set(readers.get((step.task, made.port), []))),
            }


def shown(value: Any) -> str:
    """A parameter or a metric as text; a float with as many digits as tell it from others, at most 6."""
    if isinstance(value, bool) or not isinstance(value, float):
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return f"{value:.6g}" if math.isfinite(value) else str(value)


def _size(count: int | None) -> str:
    return "" if count is None else quantities.size(count)


def _label(book: Any) -> None:
    """Give the cells' notes what the template shows of their times."""
    for cell in book.cells:
        for step in cell.metadata.get("kalec", {}).get("steps", []):
            step["shown"] = drawing.duration(step["seconds"]) if "seconds" in step else step["status"]


def _file(made: Made) -> str:
    """What an HTML or Markdown artifact holds, in a frame of its own that can reach nothing around it."""
    if made.path.is_symlink():
        return "<p>its file is a link, which may lead anywhere</p>"
    try:
        text = made.path.read_text(encoding="utf-8", errors="replace")[:LONGEST_FILE]
    except OSError:
        return "<p>its file is gone</p>"
    if made.type == "system.Markdown":
        return cellhtml.markdown(text)
    frame = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">{cellhtml.tame(text)}'
    return f'<iframe sandbox="" srcdoc="{html.escape(frame)}" title="{html.escape(made.port)}"></iframe>'
