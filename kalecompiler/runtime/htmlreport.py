"""The report of a step: a page of HTML with what its cells displayed, also if it fails."""

from __future__ import annotations

import re

from . import contract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .cells import Kernel

BLANK = "<!DOCTYPE html><meta charset=utf-8><style>body{font-family:sans-serif}img{max-width:100%}</style>"

COLOURS = r"\x1b\[[\d;?]*[A-Za-z]"
OVERWRITTEN = r"(?m)^.*\r(?!\n)"  # looked for at the beginning of lines alone: a line may be long


def start(step: Mapping[str, Any], task: contract.Task, kernel: Kernel) -> None:
    """See to it that the page is written when the recorder closes."""
    if "report" not in step:
        return
    recorder, port = kernel.recorder, step["report"]
    path, close = task.new_output(port), recorder.close
    task.publish(port, {})

    def write() -> None:
        close()
        try:
            page = "".join(map(_cell, recorder.cells)) or "<p>nothing was displayed"
        except Exception as error:  # what cells display is anybody's data: showing it must not fail the step
            page = _pre(f"no report: {error!r}")
        try:
            contract.write_text(path, (BLANK + page).encode("utf-8", "replace").decode())
        except OSError as error:
            print("kalec: warning: no report:", error)

    recorder.close = write  # type: ignore[method-assign]


def _cell(cell: Mapping[str, Any]) -> str:
    shown = "".join(map(_output, cell["outputs"]))
    return shown and f"<h4>{_safe(cell['cell'] or 'error')}</h4>" + shown


def _output(output: Mapping[str, Any]) -> str:
    if "data" in output:
        return shown(output["data"])
    text = output["text"] if "text" in output else "\n".join(output["traceback"])
    return _pre(text or output["evalue"] or output["ename"])


def shown(data: Mapping[str, Any]) -> str:
    """The best of an object's representations as HTML; its own HTML is taken as it is."""
    if "text/html" in data:
        return f"<div>{data['text/html']}</div>"
    for kind in ("png", "jpeg", "gif", "svg+xml"):
        if f"image/{kind}" in data:
            item = data[f"image/{kind}"]
            if kind == "svg+xml":
                item = __import__("binascii").b2a_base64(item.encode()).decode()
            return f'<p><img src="data:image/{kind};base64,{_safe(item)}">'
    return _pre(data.get("text/markdown") or data.get("text/latex") or data.get("text/plain", ""))


def _pre(text: Any) -> str:
    """Text as a terminal leaves it: without colours, and what a progress bar wrote over."""
    return f"<pre>{_safe(re.sub(OVERWRITTEN, '', re.sub(COLOURS, '', str(text))))}</pre>"


def _safe(text: Any) -> str:
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
