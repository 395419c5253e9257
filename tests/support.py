"""What tests share: notebooks written as text, with a line `# %% tags` before each cell."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

_MARK = re.compile(r"^# %%(?: \[(markdown|raw)\])?(?: (.*))?$")


def notebook(text: str, **metadata: Any) -> dict[str, Any]:
    """A notebook (nbformat 4.5, as JSON) from text.

    `# %% step:load prev:a` starts a code cell with those tags, `# %% [markdown] tag` a markdown cell;
    tags that hold spaces are written as a JSON list: `# %% ["label:a:b c"]`. Keywords become notebook metadata.
    """
    cells: list[dict[str, Any]] = []
    lines: list[str] = []
    for line in text.strip("\n").split("\n"):
        mark = _MARK.match(line)
        if mark:
            lines = []
            kind, tags = mark[1] or "code", (mark[2] or "").strip()
            cell: dict[str, Any] = {
                "cell_type": kind,
                "id": f"cell-{len(cells) + 1}",
                "metadata": {},
                "source": lines,
            }
            if kind == "code":
                cell |= {"execution_count": None, "outputs": []}
            if tags:
                cell["metadata"]["tags"] = json.loads(tags) if tags.startswith("[") else tags.split()
            cells.append(cell)
        elif cells:
            lines.append(line)
        elif line.strip():
            raise ValueError("text before the first '# %%' line")
    for cell in cells:
        cell["source"] = "\n".join(cell["source"]).strip("\n").splitlines(keepends=True)
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return {"cells": cells, "metadata": kernel | metadata, "nbformat": 4, "nbformat_minor": 5}


def write_notebook(path: Path, text: str, **metadata: Any) -> Path:
    """Write `notebook(text)` to `path`, and return the path."""
    path.write_text(json.dumps(notebook(text, **metadata), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
