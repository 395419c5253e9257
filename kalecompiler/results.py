"""Pipeline metrics: what the cells and tags name, and the step that each is shown on."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from kalecompiler import names
from kalecompiler.diagnostics import NOT_A_METRIC, Diagnostic
from kalecompiler.model import Cell, Location, Notebook, Setting

SCHEMAS = {
    "confusion": "system.ClassificationMetrics",
    "roc": "system.ClassificationMetrics",
    "report": "system.Markdown",
    "markdown": "system.Markdown",
    "html": "system.HTML",
}
"""The KFP type of what each kind of chart becomes."""


@dataclass(frozen=True, slots=True)
class Result:
    """A metric as written: `expression` is None where the name itself is the metric.

    One of a tag has the `step` that it is on, and a `kind`: which value is better (max, min), or how it is drawn.
    `labels` is the variable with the labels of a confusion matrix, `origin` where the tag stands. One that is `hidden`
    is computed and not shown: further down the notebook gives the name to another.
    """

    name: str
    cell: Cell
    node: ast.stmt
    expression: ast.expr | None = None
    step: str = ""
    kind: str = ""
    labels: str = ""
    origin: Location | None = None
    hidden: bool = False

    @property
    def is_chart(self) -> bool:
        return self.kind in SCHEMAS

    def statement(self) -> ast.stmt:
        """Python that reads what the metric is made of."""
        if self.expression is not None:
            return self.node
        read = [ast.copy_location(ast.Name(n, ast.Load()), self.node) for n in (self.name, self.labels) if n]
        return ast.copy_location(ast.Expr(ast.copy_location(ast.Tuple([*read], ast.Load()), self.node)), self.node)

    @property
    def reads(self) -> frozenset[str]:
        """The variables that it is made of."""
        if self.expression is None:
            return frozenset({self.name})
        return names.free_names(ast.parse(f"lambda: {ast.unparse(self.expression)}", mode="eval").body)


def read(notebook: Notebook, cells: Sequence[tuple[Cell, ast.Module]]) -> tuple[tuple[Result, ...], list[Diagnostic]]:
    """The metrics of the cells: a name, `print(name)`, or `name = expression`; in their order."""
    found: list[Result] = []
    problems: list[Diagnostic] = []
    for cell, tree in cells:
        for statement in tree.body:
            results = _results(cell, statement)
            if results is None:
                where = notebook.at(cell, statement.lineno, statement.col_offset + 1)
                problems.append(
                    Diagnostic(
                        NOT_A_METRIC,
                        "a pipeline-metrics cell holds only names, `print(name)` and `name = expression`",
                        where,
                        "compute the value in a step, and name it here",
                    )
                )
            else:
                found += results
    return tuple(found), problems


def tagged(step: str, cell: Cell, settings: Iterable[Setting], known: frozenset[str]) -> list[Result]:
    """The metrics that the settings of a step name; `cell` is its first, `known` the names that the notebook binds."""
    found = []
    for setting in settings:
        if setting.kind == "metrics":
            name, _, kind = setting.value.partition("=")
            labels = f"{name}_labels" if kind == "confusion" and f"{name}_labels" in known else ""
            node = ast.Pass(lineno=1, col_offset=0)
            found.append(Result(name, cell, node, None, step, kind, labels, setting.origin))
    return found


def merged(results: Iterable[Result]) -> list[Result]:
    """The metrics of one step: a scalar that a cell and a tag name is one, better as the tag says."""
    found: dict[tuple[str, bool, int], Result] = {}
    for number, result in enumerate(results):
        key = (result.name, result.is_chart, number if result.hidden else -1)
        found[key] = replace(found[key], kind=result.kind) if key in found else result
    return list(found.values())


def _results(cell: Cell, node: ast.stmt) -> list[Result] | None:
    """The metrics of a statement; None where it is something else."""
    if isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        return []
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return [Result(node.targets[0].id, cell, node, node.value)]
    if not isinstance(node, ast.Expr):
        return None
    value = node.value
    if isinstance(value, ast.Name):
        return [Result(value.id, cell, node)]
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "print":
        shown = [a for a in value.args if not isinstance(a, ast.Constant)]
        if shown and all(isinstance(a, ast.Name) for a in shown):
            return [Result(a.id, cell, node) for a in shown if isinstance(a, ast.Name)]
    return None


def home(reads: frozenset[str], tables: Sequence[Sequence[frozenset[str]]]) -> int:
    """The index of the step that a metric is shown on, which is made of the variables `reads`.

    A table has names for each step. It is the last step that has one of the variables in the first table where any
    has: what the steps bind or change above the metric, what they do at all, what they mention; else the last step.
    """
    for table in tables:
        steps = [i for i, known in enumerate(table) if known & reads]
        if steps:
            return steps[-1]
    return len(tables[0]) - 1
