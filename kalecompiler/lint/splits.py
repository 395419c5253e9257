"""KC608: random splits of data without a seed, so that each run, and each retry, gets another one."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from kalecompiler import trees
from kalecompiler.diagnostics import UNSEEDED_SPLIT, Diagnostic
from kalecompiler.lint.subject import Call, Subject

_SKLEARN = "sklearn.model_selection."
_RANDOM = frozenset("train_test_split ShuffleSplit StratifiedShuffleSplit GroupShuffleSplit".split())
# These are random only if told to shuffle.
_SHUFFLING = frozenset("KFold StratifiedKFold StratifiedGroupKFold".split())
_TORCH = "torch.utils.data.random_split"


def find(subject: Subject) -> Iterator[Diagnostic]:
    """A finding for each such call, unless something above it is called like a seed."""
    seeds = [_place(call) for call in subject.calls if "seed" in call.last.lower() and not call.last.startswith("get")]
    inner = {id(n) for item in subject.nodes if isinstance(item.node, _FUNCTIONS) for n in trees.walk(item.node)}
    for call in subject.calls:
        cure = _cure(call)
        if cure is None or any(id(call.node) in inner or seed < _place(call) for seed in seeds):
            continue
        message = f"`{call.last}` splits at random without a seed, so each run and each retry gets another split"
        yield Diagnostic(UNSEEDED_SPLIT, message, subject.at(call.part, call.node), f"add `{cure}`")


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _place(call: Call) -> tuple[int, int, int]:
    return call.part.annotation.cell.number, call.node.lineno, call.node.col_offset


def _cure(call: Call) -> str | None:
    """The argument that a call lacks; None where it is given, or nothing is random."""
    if call.open_ended:
        return None
    if call.path == _TORCH:
        given = call.keyword("generator") is not None or len(call.node.args) > 2
        return None if given else "generator=torch.Generator().manual_seed(0)"
    name = call.path.removeprefix(_SKLEARN)
    if not call.path.startswith(_SKLEARN) or call.keyword("random_state") is not None:
        return None
    shuffle = call.keyword("shuffle")
    told = isinstance(shuffle, ast.Constant) and shuffle.value is True
    plain = shuffle is None or told
    return "random_state=0" if (name in _RANDOM and plain) or (name in _SHUFFLING and told) else None
