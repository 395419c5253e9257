"""What a notebook shows of objects: the last expression of a cell, `display(...)`, and figures."""

from __future__ import annotations

import _ast
import binascii
import builtins
import json
import os
import sys

from . import display, parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

DATA_LIMIT = 20 << 20  # characters of a cell's representations that are kept
PLAIN_LIMIT = 50_000
# The method of each is named after the part behind the slash: `_repr_html_`, `_repr_svg_`.
TYPES = ("text/html", "text/markdown", "image/svg+xml", "image/png", "text/latex", "application/json")


class Rich:
    """Shows objects in the log, and has a recorder keep their representations.

    Matplotlib draws into memory, unless the environment asks for something (but not for a notebook's backend).
    """

    def __init__(self, recorder: display.Recorder) -> None:
        self.recorder, self.room = recorder, DATA_LIMIT
        self._fail, recorder.fail = recorder.fail, self.fail  # type: ignore[assignment,method-assign]
        builtins.display = self.display  # type: ignore[attr-defined]
        if os.environ.get("MPLBACKEND", "module://").startswith("module://"):
            os.environ["MPLBACKEND"] = "Agg"
        watched = parts.find("watched")
        if watched:
            watched.start(self)

    def split(self, tree: Any, source: str) -> Any:
        """Take the last expression, if it is to be shown, off a cell's syntax tree: its own tree, or None.

        It is not if a semicolon follows it; only white space and comments can follow that.
        """
        last: Any = tree.body[-1] if tree.body else None
        if not isinstance(last, _ast.Expr):
            return None
        row, column = last.end_lineno or 0, last.end_col_offset
        rest = source.split("\n")[row - 1].encode()[column:]
        return None if rest.lstrip().startswith(b";") else _ast.Expression(tree.body.pop().value)

    def finish(self, value: Any) -> None:
        """A piece has run: its result is shown, and open figures are, and closed, as in a notebook."""
        if value is not None:
            self._show("result", value)
        self.show_figures()
        self.room = DATA_LIMIT

    def fail(self, error: BaseException, *told: Any) -> None:
        """A piece failed: figures that it drew are shown above the error."""
        if isinstance(error, Exception):
            _attempt("no figure", self.show_figures)
        self._fail(error, *told)

    def display(self, *values: Any, raw: bool = False, metadata: Any = None, **options: Any) -> None:
        """IPython's `display`, as far as a log and a report can follow it; other options have no effect."""
        for value in values:
            self._show("display", value, raw, metadata)

    def show_figures(self, *arguments: Any, **options: Any) -> None:
        """What `pyplot.show` does in a step: the open figures are shown, and closed."""
        for figure in take_figures(self.show_figures):
            self._show("display", figure)

    def _show(self, kind: str, *value: Any) -> None:
        self.recorder.add(self.output(kind, *value))

    def output(self, kind: str, value: Any, raw: bool = False, metadata: Any = None) -> dict[str, Any]:
        """An output with an object's representations; the plain one is printed into the log."""
        data, notes = ({mime: _text(item) for mime, item in value.items()}, {}) if raw else representations(value)
        if "text/plain" in data:
            print(data["text/plain"], file=self.recorder.streams[0], flush=True)
        data = _strict(data)
        self.room -= sum(len(str(item)) for item in data.values())
        if self.room < 0:
            data = {"text/plain": data.get("text/plain", "")[:1000] + display.CUT}
        return {"kind": kind, "data": data, "metadata": _strict(metadata or notes)}


def representations(value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """(MIME type -> data, metadata) of an object, always with a `text/plain`; bytes are in base64."""
    data: dict[str, Any] = {"text/plain": _plain(value)}
    notes: dict[str, Any] = {}
    if isinstance(value, type):
        return data, notes
    found = _ask(value, "_repr_mimebundle_", notes, include=None, exclude=None)
    if isinstance(found, dict):
        data.update((mime, _text(item)) for mime, item in found.items())
    for mime in TYPES:
        if mime not in data:
            inner: dict[str, Any] = {}
            name = mime.partition("/")[2].partition("+")[0]
            item = _ask(value, f"_repr_{name}_", inner)
            if item is not None:
                data[mime] = _text(item)
                notes.update({mime: inner} if inner else {})
    if "image/png" not in data and _is_figure(value):
        data.update(_attempt("no figure", lambda: {"image/png": _draw(value)}) or {})
    return data, notes


def _strict(data: dict[str, Any]) -> Any:
    """The same as strict JSON has it: keys are texts, NaN is one too; of what JSON cannot hold, the texts."""
    texts = {name: item for name, item in data.items() if isinstance(name, str) and isinstance(item, str)}
    if len(texts) == len(data):
        return data
    whole = json.JSONEncoder(default=str, skipkeys=True)
    return _attempt("not kept", lambda: json.loads(whole.encode(data), parse_constant=str)) or texts


def take_figures(show: Callable[..., None]) -> list[Any]:
    """The figures that pyplot holds open; they are closed, so that the next cell begins with none.

    From then on `show` is what pyplot's own `show` does.
    """
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    if not hasattr(pyplot, "get_fignums"):
        return []
    pyplot.show = lambda *arguments, **options: show(*arguments, **options)  # noqa: PLW0108 - pyplot sets attributes on it
    figures = [pyplot.figure(number) for number in pyplot.get_fignums()]
    pyplot.close("all")
    return figures


def _attempt(what: str, make: Callable[[], Any]) -> Any:
    """What `make` gives; None if it fails, which is said: showing a value must not stop the step."""
    try:
        return make()
    except Exception as error:  # any library's code
        print(f"kalec: warning: {what}: {error}", file=sys.stderr)
        return None


def _ask(value: Any, method: str, notes: dict[str, Any], **options: Any) -> Any:
    """What a representation method says; None if there is none, or if it fails. It may return (data, metadata)."""

    def ask() -> Any:
        try:
            found = getattr(value, method)
        except AttributeError:  # a property that says: not now
            return None
        found = found(**options)
        if isinstance(found, tuple) and len(found) == 2:
            notes.update(found[1] or {})
            return found[0]
        return found

    return _attempt(f"{method} of {type(value).__name__}", ask) if hasattr(type(value), method) else None


def _plain(value: Any) -> str:
    try:
        text = repr(value)
    except Exception as error:  # as above
        text = f"<{type(value).__name__} whose repr fails: {error}>"
    return text if len(text) <= PLAIN_LIMIT else text[:PLAIN_LIMIT] + "..."


def _text(item: Any) -> Any:
    return binascii.b2a_base64(item, newline=False).decode() if isinstance(item, bytes) else item


def _is_figure(value: Any) -> bool:
    figure = sys.modules.get("matplotlib.figure")
    return figure is not None and isinstance(value, figure.Figure)


def _draw(figure: Any) -> str:
    import io

    file = io.BytesIO()
    figure.savefig(file, format="png", bbox_inches="tight")
    return str(_text(file.getvalue()))
