"""KC609: a transformer of scikit-learn that has learnt from the test data, as it was fitted before the split."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from kalecompiler import trees
from kalecompiler.diagnostics import LEAKING_FIT, Diagnostic
from kalecompiler.lint.subject import Subject
from kalecompiler.model import Role
from kalecompiler.names import bound_names
from kalecompiler.shapes import base

#: Transformers that learn numbers from the rows. Those that only code or scale row by row are no leak.
LEARNING = frozenset(
    "StandardScaler MinMaxScaler MaxAbsScaler RobustScaler QuantileTransformer PowerTransformer KBinsDiscretizer "
    "SimpleImputer KNNImputer IterativeImputer PCA IncrementalPCA KernelPCA TruncatedSVD NMF FastICA FactorAnalysis "
    "SelectKBest SelectPercentile SelectFromModel RFE RFECV VarianceThreshold TfidfVectorizer TfidfTransformer "
    "TargetEncoder".split()
)
_SPLIT = "sklearn.model_selection.train_test_split"


def find(subject: Subject) -> Iterator[Diagnostic]:
    """A finding for each split whose data is what such a transformer gave back, statement by statement."""
    if not any(call.path == _SPLIT for call in subject.calls):
        return
    fitted: dict[str, str] = {}  # variable -> the transformer in it
    tainted: dict[str, str] = {}  # variable -> the transformer whose result it holds
    halves: set[str] = set()  # variables that a split has made
    for part in subject.reading.parts:
        for statement in part.tree.body if part.annotation.role is Role.STEP else ():
            for call in _splits(subject, statement):
                leak = next((tainted[n] for n in map(_variable, call.args) if n in tainted), None)
                if leak is not None:
                    message = f"`{leak}` is fitted to all rows before the split, so it has seen the test data"
                    hint = "split first, then fit on the training data, best in one `make_pipeline(...)` with the model"
                    yield Diagnostic(LEAKING_FIT, message, subject.at(part, call), hint)
            _follow(subject, statement, fitted, tainted, halves)
            if next(_splits(subject, statement), None) is not None:
                halves |= bound_names([statement])


def _splits(subject: Subject, statement: ast.stmt) -> Iterator[ast.Call]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return
    for node in trees.walk(statement):
        if isinstance(node, ast.Call) and subject.path(node.func) == _SPLIT:
            yield node


def _follow(
    subject: Subject, statement: ast.stmt, fitted: dict[str, str], tainted: dict[str, str], halves: set[str]
) -> None:
    """What an assignment does to the two records; what any other statement binds is no longer known."""
    plain = isinstance(statement, ast.Assign) and len(statement.targets) == 1
    target = statement.targets[0] if isinstance(statement, ast.Assign) and plain else None
    if isinstance(statement, ast.Assign) and isinstance(target, ast.Name | ast.Subscript):
        leak = _transformed(subject, statement.value, fitted, halves) or tainted.get(_variable(statement.value), "")
        name = _variable(target)
        if isinstance(target, ast.Name):
            fitted.pop(name, None)
            tainted.pop(name, None)
            made = _made(subject, statement.value)
            if made:
                fitted[name] = made
        if leak and name:
            tainted[name] = leak
        return
    for name in bound_names([statement]):
        fitted.pop(name, None)
        tainted.pop(name, None)


def _transformed(subject: Subject, value: ast.expr, fitted: dict[str, str], halves: set[str]) -> str:
    """The transformer whose result a value is, perhaps within `pd.DataFrame(...)`: of all rows, not of a half."""
    if isinstance(value, ast.Call) and subject.path(value.func) == "pandas.DataFrame" and value.args:
        return _transformed(subject, value.args[0], fitted, halves)
    if not (isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute)):
        return ""
    if value.func.attr not in ("fit_transform", "transform") or not value.args or _variable(value.args[0]) in halves:
        return ""
    receiver = value.func.value
    return fitted.get(receiver.id, "") if isinstance(receiver, ast.Name) else _made(subject, receiver)


def _made(subject: Subject, value: ast.expr) -> str:
    """The name of the transformer that an expression makes."""
    path = subject.path(value.func) if isinstance(value, ast.Call) else ""
    name = path.rpartition(".")[2]
    return name if path.startswith("sklearn.") and name in LEARNING else ""


def _variable(expr: ast.expr) -> str:
    """The variable that a value is, or is a part or a plain view of: `df`, `df["a"]`, `df.values`, `df.drop("a")`."""
    while isinstance(expr, ast.Call) and isinstance(expr.func, ast.Attribute):
        if expr.func.attr not in ("drop", "copy", "to_numpy", "astype", "reset_index", "iloc", "loc"):
            return ""
        expr = base(expr.func)
    inner = base(expr)
    if isinstance(inner, ast.Call) and inner is not expr:
        return _variable(inner)
    return inner.id if isinstance(inner, ast.Name) else ""
