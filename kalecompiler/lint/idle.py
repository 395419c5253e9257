"""KC606: a step that nothing reads, and that leaves nothing behind that anybody could see."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from kalecompiler import library
from kalecompiler.diagnostics import IDLE_STEP, Diagnostic
from kalecompiler.hiddentable import STATE_CALLS
from kalecompiler.lint.subject import Call, Node, Subject
from kalecompiler.model import Cell, Location
from kalecompiler.placement import is_empty
from kalecompiler.taglanguage import tags_of

#: Modules whose functions only compute, but for names like `save`.
_COMPUTING = frozenset(
    "numpy pandas sklearn scipy math cmath statistics json re string datetime collections itertools functools copy "
    "random decimal fractions textwrap operator dataclasses enum typing".split()
)
_WRITING = ("save", "to_", "dump", "write", "show", "print", "info")
#: Builtins that speak, listen, or run what cannot be seen.
_SPEAKING = frozenset("print open display input exec eval compile __import__ setattr delattr".split())
#: Methods that compute, or change only what they belong to.
_METHODS = frozenset(
    "fit fit_transform transform predict predict_proba fit_predict score copy head tail mean median std var min max "
    "sum count nunique unique value_counts corr describe isna isnull notna dropna fillna drop rename replace astype "
    "merge join groupby agg aggregate sort_values sort_index reset_index set_index reshape ravel flatten round clip "
    "abs cumsum items keys values get append extend insert update add pop remove sort reverse split strip lower "
    "upper format startswith endswith to_numpy to_dict tolist to_list integers normal uniform random choice "
    "permutation poisson gamma standard_normal assign query filter select_dtypes pivot_table melt argmax argmin any "
    "all dot".split()
)
_TELLING = (ast.Raise, ast.Assert, ast.With, ast.AsyncWith, ast.Await, ast.Yield, ast.YieldFrom, ast.Global, ast.Try)
#: Calls that stand alone for what they do to their receiver, and not to be looked at.
_ALONE = frozenset("fit append extend insert update add pop remove sort reverse".split())


def find(subject: Subject) -> Iterator[Diagnostic]:
    """A finding for each such step; anything that is not known to be without effect counts as one."""
    if not subject.sound:
        return
    homes = {carried.home for c in subject.flow.steps for carried in c.carried}
    for step in subject.draft.steps:
        parts = subject.reading.steps[step.name]
        if step.outputs or step.metrics or step.charts or step.name in homes:
            continue
        if all(is_empty(part.annotation.cell.source) for part in parts):
            continue
        own = {id(part) for part in parts}
        nodes = [item for item in subject.nodes if id(item.part) in own]
        calls = [call for call in subject.calls if id(call.part) in own]
        if any(_tells(subject, item) for item in nodes) or any(not _computes(call) for call in calls):
            continue
        message = f"no step reads what step `{step.name}` makes, and it shows or writes nothing"
        hint = (
            "read its result in another step, print it, name it in a cell tagged `pipeline-metrics`, or tag it `skip`"
        )
        yield Diagnostic(IDLE_STEP, message, _place(subject, step.name, parts[0].annotation.cell), hint)


def _place(subject: Subject, step: str, cell: Cell) -> Location:
    """The tag that makes the step."""
    tags = [tag.text for tag in tags_of(cell.metadata) if tag.step == step]
    return replace(subject.book.at(cell), tag=tags[0] if tags else None)


def _tells(subject: Subject, item: Node) -> bool:
    """Whether a node shows something, checks something, or changes the state of a module."""
    node = item.node
    if isinstance(node, ast.Expr):
        call = node.value
        alone = isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in _ALONE
        return not alone and not isinstance(call, ast.Constant)
    if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
        return bool(subject.path(node.value))
    return isinstance(node, _TELLING)


def _computes(call: Call) -> bool:
    if call.last.startswith(_WRITING) and call.last not in _METHODS:
        return False
    if call.path in STATE_CALLS:
        return False
    if call.path:
        return call.path.partition(".")[0] in _COMPUTING
    if isinstance(call.node.func, ast.Name):
        return call.last in library.BUILTINS and call.last not in _SPEAKING
    return call.last in _METHODS
