"""The executed notebook's cells as HTML that is safe to put into a page: made by nbconvert, which escapes text.

HTML that a cell displayed is meant as HTML, and stays it, but well-formed, without what runs or loads anything, and
in a box of its own: neither its style sheets nor its positions reach what stands around it.
"""

from __future__ import annotations

import base64
import copy
import logging
import re
from pathlib import Path
from typing import Any

from kalecompiler.diagnostics import UsageError

LARGEST_HTML = 5_000_000
INSTALL = "pip install 'kalecompiler[report]'"
# Code that a library displays for a notebook's page is of no use here, and never runs.
MIME_TYPES = [
    "text/html",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "image/gif",
    "text/markdown",
    "text/latex",
    "text/plain",
]
_ACTIVE = ["script", "iframe", "object", "embed", "meta", "base", "link", "noscript", "template", "form"]
_ACTIVE += ["plaintext", "frame", "frameset"]
_OF_PAGES = ["html", "head", "body"]  # a second one would change the page's own
_PANDAS = re.compile(r"\s*(\.dataframe [^{},]*\{[^{}]*\}\s*)+")  # the page's own tables look like that
_TABLES = (
    "table{border-collapse:collapse;margin:8px 0}th,td{padding:4px 10px;border:1px solid var(--line);text-align:left}"
    "th{background:var(--soft)}img,svg{max-width:100%}"
)
_TEMPLATE = """\
{%- extends 'classic/base.html.j2' -%}
{%- block any_cell -%}
<div class="run-cell">
{%- for step in cell.metadata.get("kalec", {}).get("steps", []) -%}
<a class="badge {{ step.status | escape }}" href="#step-{{ step.task | escape }}">{{ step.name | escape }}
 <small>{{ step.shown | escape }}</small></a>
{%- endfor -%}
{{ super() }}</div>
{%- endblock any_cell -%}
"""


def cells(book: Any) -> tuple[str, str]:
    """(the cells of a notebook as HTML, the style sheet of their code).

    Raises UsageError where nbconvert is not installed.
    """
    try:
        from jinja2 import DictLoader
        from nbconvert.exporters import HTMLExporter
        from pygments.formatters import HtmlFormatter
    except ImportError as error:
        raise UsageError(f"the HTML page needs {error.name}: {INSTALL}, or ask for --format ipynb") from None
    exporter = HTMLExporter(
        log=_quiet(),
        template_name="basic",
        extra_template_basedirs=[_templates()],
        extra_template_paths=[_templates()],
        extra_loaders=[DictLoader({"run.html.j2": _TEMPLATE})],
        template_file="run.html.j2",
        exclude_raw=True,  # it is meant for another converter
    )
    _tame_markdown(exporter.environment)
    for name in ("NbConvertBase", "DisplayFormatter"):
        exporter.config[name].display_data_priority = MIME_TYPES
    body, _ = exporter.from_notebook_node(_tamed(book))
    return body, str(HtmlFormatter(style="default").get_style_defs(".highlight"))


def _templates() -> str:
    """Where nbconvert's templates are beside its code, when another environment than the current one has it."""
    import nbconvert

    return str(Path(nbconvert.__file__).parents[4] / "share" / "jupyter" / "nbconvert" / "templates")


def _quiet() -> logging.Logger:
    """A logger that says nothing of pictures without a description."""
    logger = logging.getLogger("kalecompiler.nbconvert")
    logger.setLevel(logging.ERROR)
    return logger


def _tame_markdown(environment: Any) -> None:
    """Markdown may hold HTML, and ends with its cell."""
    from jinja2 import pass_context

    convert = environment.filters["markdown2html"]

    @pass_context
    def tamed(context: Any, source: str) -> str:
        return boxed(str(convert(context, source)))

    environment.filters["markdown2html"] = tamed


def _tamed(book: Any) -> Any:
    """A copy of the notebook whose outputs can stand in a page."""
    book = copy.deepcopy(book)
    for cell in book.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "text/html" in data:
                _tame_output(data)
            if "image/svg+xml" in data:
                picture = base64.b64encode(_text(data.pop("image/svg+xml")).encode()).decode()
                data.setdefault("text/html", f'<img alt="" src="data:image/svg+xml;base64,{picture}">')
    return book


def _tame_output(data: Any) -> None:
    """Make an output's HTML fit for a page; its plain text stands for HTML that is too large."""
    html = _text(data["text/html"])
    if len(html) <= LARGEST_HTML or "text/plain" not in data:
        data["text/html"] = boxed(html[:LARGEST_HTML])
    else:
        del data["text/html"]


def tame(html: str) -> str:
    """HTML with all its tags closed, and without the elements and attributes that run or load something."""
    return str(_tame(html))


def boxed(html: str) -> str:
    """The same in a box that it cannot leave, if it has a style; the browser itself keeps style sheets inside.

    (A shadow root: a browser that is older than 2024 may show nothing there.)
    """
    soup = _tame(html)
    for sheet in soup("style"):
        if _PANDAS.fullmatch(sheet.get_text()) or sheet.find_parent(["svg", "math"]):  # in those it would be markup
            sheet.decompose()
    if not soup("style"):
        return f'<div class="boxed">{soup}</div>' if soup(style=True) else str(soup)
    inner = f'<template shadowrootmode="open"><style>{_TABLES}</style>{soup}</template>'
    return f'<div class="boxed"><div>{inner}</div></div>'


def _tame(html: str) -> Any:
    from bs4 import BeautifulSoup
    from bs4.element import PreformattedString

    soup = BeautifulSoup(html, "html.parser")
    for element in soup(_ACTIVE):
        element.decompose()
    for element in soup(_OF_PAGES):
        element.name = "div"
    # Comments, CDATA, `<?...>`: where a browser lets them end elsewhere, what is left is markup.
    for item in soup(string=lambda text: isinstance(text, PreformattedString)):
        item.extract()
    for element in soup(True):
        for name in [name for name, value in element.attrs.items() if _runs(name, value)]:
            del element[name]
    return soup


def _runs(name: str, value: Any) -> bool:
    """Whether an attribute runs something."""
    address = "".join(char for char in str(value) if char > " ").lower()  # as a browser reads it
    return name.startswith("on") or name in {"srcdoc", "formaction", "popover"} or address.startswith("javascript:")


def markdown(text: str) -> str:
    """Markdown as HTML that can stand in a page."""
    from nbconvert.filters.markdown_mistune import markdown2html_mistune

    return boxed(str(markdown2html_mistune(text)))


def _text(data: Any) -> str:
    return "".join(data) if isinstance(data, list) else str(data)
