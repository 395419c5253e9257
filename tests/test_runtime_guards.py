"""A step that changes, in place, what others read as it was above fails; one that only reads does not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from runtime_steps import output, piece, run, step, take

from kalecompiler.runtime import bonds, guards, values

SETUP = {
    "list": "x = [3, 1, {'a': ['s']}, {5, 'k'}]",
    "array": "import numpy as np\nx = np.arange(12.).reshape(3, 4).T",
    "dates": "import numpy as np\nx = np.array(['2024-01-01'] * 9, 'M8[D]')",
    "frame": "import pandas as pd\nx = pd.DataFrame({'a': [1, 2], 'b': ['u', 'v']})\nx['c'] = 0.5\nx['d'] = 1.5",
    "frames": "import pandas as pd\nx = {'f': [pd.DataFrame({'a': [1, 2]}), pd.DataFrame([[0.5, 1], [2, 3]])]}",
    "sparse": "import numpy as np, scipy.sparse as sp\n"
    "x = sp.csr_matrix((np.ones(4), ([0, 0, 1, 1], [2, 1, 0, 0])), (2, 3))",
    "model": "from sklearn.linear_model import LogisticRegression\nx = LogisticRegression().fit([[0], [1]], [0, 1])",
    "graph": "x = Graph()",
    "lock": "x = Graph()",
}
CLASSES = """
import functools
class Graph:
    def __init__(self): self.edges = [1]
    @functools.cached_property
    def degree(self): return len(self.edges)
"""


def changed(tmp_path: Path, kind: str, code: str) -> list[str]:
    """What the guard says when `x` was saved and loaded, and `code` was then executed beside it."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(CLASSES + SETUP[kind], namespace)
    vars(sys.modules["__main__"])["Graph"] = namespace["Graph"]
    path = str(tmp_path / "x")
    values.save(path, namespace["x"], "x")
    namespace["x"] = values.load(path)
    before = guards.digests(["x"], namespace)
    assert before
    exec(code, namespace)
    return guards.changed(before, namespace)


READS = [
    ("list", "sorted(x, key=str), x[2]['a'], list(x[3]), 5 in x[3], hash('s'), str(x), x[2].get('b'), x + [1], x[:]"),
    ("list", "import copy, json; copy.deepcopy(x), x[2].items(), x == [1]"),
    ("array", "x.sum(), x.T, x[1:].mean(), x.copy(), (x + 1), x.tobytes(), np.ascontiguousarray(x), x.reshape(-1)"),
    ("dates", "x.min(), x.astype('i8'), x.view('i8')"),
    ("frame", "x.a, x['b'], x.describe(), x.groupby('b').a.sum(), x.values, x.to_numpy(), x.T, x.copy(), x.iloc[0]"),
    ("frame", "x.loc[0], x.merge(x, on='a'), x.index.is_unique, x.columns.get_loc('b'), x.memory_usage(), repr(x)"),
    (
        "frame",
        "x.sort_values('a'), x.b.str.upper(), x.b.astype('category'), x.corr(numeric_only=True), x.query('a > 1')",
    ),
    ("frame", "x._consolidate_inplace()"),
    ("frames", "[f.mean() for f in x['f']], x['f'][1].T.values"),
    (
        "sparse",
        "x.has_sorted_indices, x.has_canonical_format, x.T @ x, x.toarray(), x.sum_duplicates(), x.sort_indices()",
    ),
    ("model", "x.predict([[1]]), x.predict_proba([[0]]), x.score([[0], [1]], [0, 1]), repr(x), x.get_params()"),
    ("graph", "x.degree, x.edges, repr(x)"),
    ("array", "from sklearn.linear_model import LinearRegression as L; L().fit(x, x[:, 0]).predict(x)"),
    ("array", "from sklearn.preprocessing import StandardScaler as S; S().fit_transform(x)"),
    (
        "frame",
        "from sklearn.tree import DecisionTreeClassifier as D; D().fit(x[['a', 'c']], x.b).predict(x[['a', 'c']])",
    ),
    ("list", "del x"),
]


@pytest.mark.parametrize(("kind", "code"), [pytest.param(*row, id=f"{row[0]}: {row[1][:30]}") for row in READS])
def test_reading_is_no_change(tmp_path: Path, kind: str, code: str) -> None:
    _needs(kind, code)
    assert changed(tmp_path, kind, code) == []


CHANGES = [
    ("list", "x.append(1)"),
    ("list", "x.sort(key=str)"),
    ("list", "x[2]['a'].append(1)"),
    ("list", "x[3].add(7)"),
    ("list", "x[2]['new'] = x[2].pop('a')"),
    ("array", "x[0, 0] = 5"),
    ("array", "x.T[0, 0] -= 1"),
    ("array", "x.sort(axis=0); x[::-1].sort(axis=0); x *= -1"),
    ("array", "x.resize((4, 3), refcheck=False) if x.flags.owndata else x.fill(0)"),
    ("dates", "x[0] = '2020-01-01'"),
    ("frame", "x['new'] = 1"),
    ("frame", "x.loc[0, 'a'] = 9"),
    ("frame", "x.drop(columns='a', inplace=True)"),
    ("frame", "x.index.name = 'i'"),
    ("frame", "x.attrs['k'] = 1"),
    ("frame", "x['a'] = x['a'].astype('float64')"),
    ("frames", "x['f'][1].iloc[0, 0] = 9"),
    ("sparse", "x.data[0] = 7"),
    ("model", "x.fit([[0], [2]], [1, 0])"),
    ("model", "x.C = 5"),
    ("graph", "x.edges.append(1)"),
    ("graph", "x.note = 1"),
    ("list", "x = x + [1]"),
]


@pytest.mark.parametrize(("kind", "code"), [pytest.param(*row, id=f"{row[0]}: {row[1][:30]}") for row in CHANGES])
@pytest.mark.filterwarnings("ignore")
def test_a_change_is_noticed(tmp_path: Path, kind: str, code: str) -> None:
    _needs(kind, code)
    assert changed(tmp_path, kind, code) == ["x"]


def test_a_change_fails_the_step_and_a_read_does_not(tmp_path: Path) -> None:
    made = run(tmp_path, step("x = [{1: 2}]", name="make", outputs=[output("x")]))
    fields = {"inputs": [take("x", "make")], "guards": ["x"], "outputs": [output("y")]}
    done = run(tmp_path, step("y = x[0][1]", name="read", **fields), {"make": made})
    assert (done.status, done.err) == (0, "")
    done = run(tmp_path, step("y = 1", "x[0][1] += y", **fields), {"make": made})
    assert done.status == 1
    assert done.err == (
        "kalec: step work failed: it changed 'x' in place (nb.ipynb work[2]), "
        "but the steps after it would not see that\n"
        "  help: tag the step changes:x, and put all steps that change 'x' in order with prev:\n"
    )
    assert not (done.folder / "executor_output.json").exists()


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("x = (n for n in [1])", id="a value that cannot be pickled"),
        pytest.param("x = lambda: 1", id="a lambda"),
    ],
)
def test_what_cannot_be_told_is_not_compared(tmp_path: Path, code: str) -> None:
    done = run(tmp_path, step(piece(code, "functions", "nb.ipynb f"), "x = 1", guards=["x", "unbound"]))
    assert (done.status, done.err) == (0, "")


def test_what_cannot_be_told_any_more_is_said(tmp_path: Path) -> None:
    made = run(tmp_path / "made", step("x = {}", name="make", outputs=[output("x")]))
    code = "import threading\nx['lock'] = threading.Lock()"
    done = run(tmp_path / "done", step(code, inputs=[take("x", "make")], guards=["x"]), {"make": made})
    warning = "kalec: warning: nobody can tell whether it changed 'x' in place, as it cannot be pickled now"
    assert (done.status, done.err) == (0, warning + "; the steps after it get 'x' as it was\n")


def _needs(kind: str, code: str) -> None:
    for library in ("numpy", "pandas", "scipy", "sklearn"):
        if library in SETUP[kind] + code:
            pytest.importorskip(library)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param("a = []\nb = a", [("a", "b", "list")], id="two names of one list"),
        pytest.param("a = {}\nb = [1, a]", [("a", "b", "dict")], id="a dict inside a list"),
        pytest.param(
            "import numpy\na = numpy.zeros(3)\nb = a[1:]", [("a", "b", "numpy.ndarray")], id="a view and its base"
        ),
        pytest.param(
            "class C: pass\na = C()\nb = C()\nb.part = a", [("a", "b", "__main__.C")], id="an instance in an instance"
        ),
        pytest.param("a = [1]\nb = [1]", [], id="equal but apart"),
        pytest.param("a = 'text'\nb = a", [], id="text cannot be changed"),
        pytest.param("a = (1, 2)\nb = a", [], id="nor can a tuple of numbers"),
        pytest.param("class C: pass\na = C()\nb = C()", [], id="instances of one class"),
        pytest.param(
            "import pandas\na = pandas.DataFrame({'x': [1, 2]})\nb = a.assign(y=1)", [], id="frames with an equal index"
        ),
    ],
)
def test_variables_that_share_an_object_are_found(code: str, expected: list[tuple[str, str, str]]) -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(code, namespace)
    assert bonds.survey({name: namespace[name] for name in "ab"})[0] == expected


def test_a_shared_object_is_said_and_does_not_fail_the_step(tmp_path: Path) -> None:
    done = run(tmp_path, step(piece("a = []\nb = a", "cell", "nb.ipynb s[1]"), guards=[["a", "b"]]))
    assert done.status == 0
    assert "'a' and 'b' share a list" in done.err


@pytest.mark.parametrize(
    ("definition", "change"),
    [
        pytest.param("class Bag:\n    items = []", "vars(Bag)['items'].append(1)", id="a class attribute"),
        pytest.param("def f(seen=[]):\n    return seen", "f().append(1)", id="a mutable default"),
    ],
)
def test_state_that_a_definition_keeps_must_not_change(tmp_path: Path, definition: str, change: str) -> None:
    name = definition.replace("(", " ").replace(":", " ").split()[1]
    code = piece(definition, "definition", f"nb.ipynb a.{name}")
    done = run(tmp_path, step(code, change, guards=[name]))
    assert done.status == 1
    assert "keep the state in a variable" in done.err
    (tmp_path / "again").mkdir()
    assert run(tmp_path / "again", step(code, f"print({name})", guards=[name])).status == 0
