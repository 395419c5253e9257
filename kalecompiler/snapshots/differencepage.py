"""A comparison of runs as one HTML page with charts: nothing is fetched, so that it opens offline."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from kalecompiler.snapshots.blocks import Block, Heading, Hint, Lines, Patch, Table, printable
from kalecompiler.snapshots.compare import Comparison
from kalecompiler.snapshots.differences import blocks
from kalecompiler.snapshots.quantities import values

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1c2733 }
h2 { font-size: 1.05rem; margin: 2rem 0 .4rem } table { border-collapse: collapse }
td, th { text-align: left; padding: .15rem 1.2rem .15rem 0; vertical-align: top; border-bottom: 1px solid #e4e8ec }
.best, .plus { color: #14713a } .differs, .yellow { color: #8a5a00 } .faint, .at { color: #75808b }
.best, .bold { font-weight: 600 } .failed, .red, .minus { color: #b3261e } svg text { font: 12px system-ui, sans-serif }
pre { background: #f5f7f9; padding: .7rem; overflow-x: auto }
@media (prefers-color-scheme: dark) {
 body { background: #14191f; color: #dfe5eb } pre { background: #1d242c } td, th { border-color: #2b343e }
 .best, .plus { color: #5fd08a } .differs, .yellow { color: #e0b050 } svg text { fill: #dfe5eb }
}
"""
_COLORS = ("#3566b8", "#c9722b", "#3f8f5b", "#8a4fa3", "#b23b4e", "#6b7480")
_WIDTH, _BAR, _LABEL = 560, 16, 170


def page(found: Comparison) -> str:
    """The page."""
    title = escape(" and ".join(found.runs))
    body = "\n".join(_block(block) for block in blocks(found))
    charts = "\n".join(filter(None, (_metric_charts(found), _duration_chart(found))))
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{_STYLE}</style></head><body>\n<h1>{title}</h1>\n{charts}\n{body}\n</body></html>\n"
    )


def _block(block: Block) -> str:
    if isinstance(block, Hint):
        return ""
    if isinstance(block, Heading):
        return f"<h2>{escape(block.text)}</h2>"
    if isinstance(block, Lines):
        lines = "<br>".join(map(escape, block.lines))
        return f'<p class="{escape(block.style)}">{lines}</p>'
    if isinstance(block, Patch):
        return f"<pre>{''.join(map(_patch_line, block.text.splitlines(keepends=True)))}</pre>"
    return _table(block)


def _table(block: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in block.columns)
    rows = "\n".join(
        "<tr>" + "".join(f'<td class="{escape(cell.style)}">{escape(cell.text)}</td>' for cell in row) + "</tr>"
        for row in block.rows
    )
    return f"<table>{f'<tr>{head}</tr>' if head else ''}{rows}</table>"


def _patch_line(line: str) -> str:
    kind = {"+": "plus", "-": "minus", "@": "at"}.get(line[:1])
    return f'<span class="{kind}">{escape(line)}</span>' if kind else escape(line)


def _metric_charts(found: Comparison) -> str:
    """A group of bars for each metric that is a number in two runs or more."""
    groups = []
    for row in found.metrics:
        numbers = [item if _is_number(item) else None for item in row.values]
        if sum(number is not None for number in numbers) > 1:
            groups.append((row.name, numbers))
    return f"<h2>metrics</h2>{_bars(groups, found.runs, own_scale=True)}" if groups else ""


def _duration_chart(found: Comparison) -> str:
    groups = [(step.name, list(step.seconds)) for step in found.steps if any(step.seconds)]
    return f"<h2>seconds of each step</h2>{_bars(groups, found.runs, own_scale=False)}" if groups else ""


def _bars(groups: Sequence[tuple[str, Sequence[float | None]]], runs: Sequence[str], *, own_scale: bool) -> str:
    """Bars as SVG; each group by a scale of its own, or all by one."""
    every = max((abs(number) for _, numbers in groups for number in numbers if number is not None), default=0.0)
    parts, top = [], 4
    for name, numbers in groups:
        most = max((abs(n) for n in numbers if n is not None), default=0.0) if own_scale else every
        parts.append(f'<text x="{_LABEL - 8}" y="{top + 12}" text-anchor="end">{escape(name[:24])}</text>')
        texts = values(numbers)
        for at, number in enumerate(numbers):
            if number is not None:
                width = round((_WIDTH - _LABEL - 90) * abs(number) / most, 1) if most else 0.0
                color = _COLORS[at % len(_COLORS)]
                parts.append(
                    f'<rect x="{_LABEL}" y="{top}" width="{max(width, 1.0)}" height="{_BAR - 3}" fill="{color}">'
                    f"<title>{escape(runs[at])}: {escape(texts[at])}</title></rect>"
                    f'<text x="{_LABEL + max(width, 1.0) + 6}" y="{top + 11}">{escape(texts[at])}</text>'
                )
            top += _BAR
        top += 8
    return f'<svg viewBox="0 0 {_WIDTH} {top}" width="{_WIDTH}" height="{top}" role="img">{"".join(parts)}</svg>'


def _is_number(item: object) -> bool:
    return isinstance(item, (int, float)) and not isinstance(item, bool) and math.isfinite(item)


def escape(text: str) -> str:
    """Text that is no HTML, without control characters but line ends."""
    return html.escape("\n".join(printable(line) for line in text.split("\n")))
