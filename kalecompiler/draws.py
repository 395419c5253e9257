"""Global random state, as a variable that no cell names: seeding binds it, every draw changes it.

`random`, numpy and torch each keep one generator for the whole process. Where a notebook seeds it, its state goes on
from step to step like any variable, under a name of its own; `restore` and `keep` are the code that a step runs for it.
Sources: the libraries' documentation of `seed`, `set_state` and `manual_seed`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from kalecompiler.facts import Grade
from kalecompiler.trees import walk


@dataclass(frozen=True, slots=True)
class Generator:
    """A process-wide generator: the variable for its state, and how to read and write that."""

    variable: str
    restore: str
    keep: str


_MODULE = '__import__("{}", fromlist=["x"])'
GENERATORS = {
    name: Generator(
        variable, f"{_MODULE.format(name)}.{setter}({variable})", f"{variable} = {_MODULE.format(name)}.{getter}()"
    )
    for name, variable, setter, getter in (
        ("random", "_random_state", "setstate", "getstate"),
        ("numpy.random", "_numpy_random_state", "set_state", "get_state"),
        ("torch", "_torch_random_state", "set_rng_state", "get_rng_state"),
    )
}
VARIABLES = {g.variable: g for g in GENERATORS.values()}

_SEEDS = frozenset({"seed", "setstate", "set_state", "manual_seed", "set_rng_state"})
_NO_DRAW = frozenset("getstate get_state get_rng_state initial_seed default_generator".split())
_TORCH = frozenset(
    "rand randn randint randperm bernoulli normal multinomial poisson rand_like randn_like randint_like".split()
)
_DRAWS_INSIDE = frozenset(
    "train_test_split shuffle resample cross_val_score cross_validate cross_val_predict permutation_importance "
    "make_classification make_regression make_blobs make_moons make_circles make_s_curve make_swiss_roll "
    "make_friedman1 make_multilabel_classification make_sparse_uncorrelated learning_curve validation_curve".split()
)
FITS = frozenset("fit fit_transform fit_predict partial_fit fit_resample split".split())


def seeded(trees: Iterable[ast.AST]) -> frozenset[str]:
    """The state variables that a notebook may seed: a generator counts as soon as some call is named like a seed."""
    called = {
        n.func.attr if isinstance(n.func, ast.Attribute) else n.func.id
        for tree in trees
        for n in walk(tree)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute | ast.Name)
    }
    return frozenset(VARIABLES) if called & _SEEDS else frozenset()


def touched(path: str, node: ast.Call) -> tuple[str, Grade | None] | None:
    """The state variable that a call of a library touches: grade None seeds it, else it is drawn from so surely."""
    head, _, last = path.rpartition(".")
    if last in _NO_DRAW:
        return None
    if head in ("random", "numpy.random"):
        if last[:1].isupper() or last == "default_rng":
            return None
        return GENERATORS[head].variable, None if last in _SEEDS else Grade.DEFINITE
    if head in ("torch", "torch.random", "torch.cuda") and (last in _SEEDS or last in _TORCH):
        return GENERATORS["torch"].variable, None if last in _SEEDS else Grade.DEFINITE
    if path.startswith("scipy.stats.") and last == "rvs" and not fixed(node):
        return GENERATORS["numpy.random"].variable, Grade.DEFINITE
    if path.startswith("torch.nn.") and last[:1].isupper():
        return GENERATORS["torch"].variable, Grade.POSSIBLE
    if path.startswith("sklearn.") and last in _DRAWS_INSIDE and not fixed(node):
        return GENERATORS["numpy.random"].variable, Grade.DEFINITE
    return None


def fixed(node: ast.Call) -> bool:
    """Whether a call is given a seed of its own: `random_state=0`."""
    return any(k.arg == "random_state" and not _is_none(k.value) for k in node.keywords)


def _is_none(expr: ast.expr) -> bool:
    return isinstance(expr, ast.Constant) and expr.value is None
