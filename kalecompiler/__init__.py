"""Compiles tagged Jupyter notebooks to Kubeflow Pipelines, and runs them on one machine.

One direction, a module for each phase; nothing flows back, and no phase edits another's result:

    read      notebook   path -> Notebook
    annotate  tags       Notebook -> an Annotation a cell
    analyse   flow       code -> the names it reads, binds and changes
    connect   dataflow   steps -> which step gets which version of a variable from which
    plan      plan       all of these -> Pipeline, or every finding at once
    render    render     Pipeline -> KFP module, Python text
    compile   compile    KFP module -> pipeline package, YAML
    run       local      package -> the results of its steps, here and now

The nouns are in `model`, the findings in `diagnostics`. What is listed here is public, and imported when it is used:

    planned = kalecompiler.plan_notebook(Path("churn.ipynb"), {})
    text = kalecompiler.compile_package(planned.pipeline).text
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kalecompiler.compile import compile_package
    from kalecompiler.diagnostics import NotebookError, UsageError
    from kalecompiler.plan import plan as plan_notebook
    from kalecompiler.runtime.values import load
    from kalecompiler.version import VERSION

__all__ = ["VERSION", "NotebookError", "UsageError", "compile_package", "load", "plan_notebook"]

# No public name may be a module's too (`plan`): importing the module would put it in the name's place.
_HOMES = {
    "VERSION": ("version", "VERSION"),
    "NotebookError": ("diagnostics", "NotebookError"),
    "UsageError": ("diagnostics", "UsageError"),
    "compile_package": ("compile", "compile_package"),
    "load": ("runtime.values", "load"),
    "plan_notebook": ("plan", "plan"),
}


def __getattr__(name: str) -> Any:
    """A public name, from the module that defines it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _HOMES[name]
    return getattr(import_module(f"{__name__}.{module}"), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
