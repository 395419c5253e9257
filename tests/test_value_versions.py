"""Values that were written under other versions of Python, numpy, pandas and scikit-learn, and the other way round.

Other interpreters are given by KALEC_OTHER_PYTHON, paths with colons between them; each needs numpy, pandas and
scikit-learn (and cloudpickle for one row). Without any the tests are skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
OTHERS = [path for path in os.environ.get("KALEC_OTHER_PYTHON", "").split(os.pathsep) if path]

# What the libraries promise: `both` ways, `newer` (what an older one wrote loads in a newer one of the same major
# version), or nothing, and then it either loads equal or fails with both versions named; `never` must fail so.
BOTH, NEWER, NOTHING, NEVER = "both", "newer", "nothing", "never"


@dataclass(frozen=True)
class Row:
    """A value whose pickle names the library; `shows` is what of it is compared, beside its type."""

    source: str
    library: str
    promise: str
    shows: str = "repr(v)"


ARRAY = "(v.tobytes(), str(v.dtype), v.shape, v.flags.f_contiguous, v.flags.writeable)"
FRAME = (
    "(v.to_dict('list'), [str(t) for t in v.dtypes], type(v.index).__name__, list(v.index), list(v.columns),"
    " type(v.columns).__name__, v.index.name, v.attrs, v.flags.allows_duplicate_labels)"
)
OBJECT = "pd.Series(['a', None, 2], dtype=object)"
DATES = "pd.DatetimeIndex(np.array(['2024-01-01', '2024-01-02'], 'M8[ns]'))"

ROWS = {
    "builtins": Row("[1, 'a', {'k': (2.5, None, b'x')}, {1, 2}, 2**70]", "python", BOTH),
    "standard library": Row(
        "[datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc), decimal.Decimal('1.10'),"
        " fractions.Fraction(1, 3),"
        " uuid.UUID(int=5), collections.OrderedDict(a=1), collections.deque([1], 2), pathlib.PurePosixPath('/a')]",
        "python",
        NEWER,
    ),
    "a lambda": Row("[lambda x: x + 1]", "lambda", NEVER, "v[0](1)"),
    "array of floats": Row("np.arange(6.0).reshape(2, 3)", "numpy", BOTH, ARRAY),
    "large array": Row("np.arange(300_000.0)", "numpy", BOTH, ARRAY),
    "large array in Fortran's order": Row("np.asfortranarray(np.ones((500, 600)))", "numpy", BOTH, ARRAY),
    "array of text": Row("np.array(['a', 'bc'])", "numpy", BOTH, ARRAY),
    "array of times": Row("np.array(['2024-01-01'], 'M8[s]')", "numpy", BOTH, ARRAY),
    "array of records": Row("np.zeros(2, [('a', '>i4'), ('b', 'f8', (2,))])", "numpy", BOTH, ARRAY),
    "array of objects": Row("np.array([1, 'a', None], dtype=object)", "numpy", BOTH, "v.tolist()"),
    "masked array": Row("np.ma.masked_array([1.5, 2.5], [True, False])", "numpy", BOTH, "(v.tolist(), v.fill_value)"),
    "scalars": Row(
        "[np.float32(0.1), np.int64(5), np.datetime64('2024', 'D'), np.bool_(True)]",
        "numpy",
        BOTH,
        "[(type(x).__name__, x.item()) for x in v]",
    ),
    "dtype": Row("np.dtype([('a', 'f4')])", "numpy", BOTH),
    "generator": Row("np.random.default_rng(5)", "numpy", NOTHING, "v.random(2).tolist()"),
    "RandomState": Row("np.random.RandomState(5)", "numpy", NOTHING, "v.normal(size=2).tolist()"),
    "frame of numbers": Row("pd.DataFrame({'a': [1, 2], 'b': [0.5, 1.5], 'c': [True, False]})", "pandas", NEWER, FRAME),
    "large frame": Row(
        "pd.DataFrame({'a': np.arange(300_000.0), 'n': np.arange(300_000)})",
        "pandas",
        NEWER,
        "(v.a.sum(), v.n.sum(), [str(t) for t in v.dtypes], repr(v.index))",
    ),
    "frame with objects": Row(
        f"pd.DataFrame({{'o': {OBJECT}}}, columns=pd.Index(['o'], dtype=object))", "pandas", NEWER, FRAME
    ),
    "frame with attrs": Row("(lambda f: (f.attrs.update(k=1), f)[1])(pd.DataFrame({0: [1]}))", "pandas", NEWER, FRAME),
    "frame with dates for rows": Row(f"pd.DataFrame({{0: [1, 2]}}, index={DATES})", "pandas", NEWER, FRAME),
    "frame with times in a zone": Row(
        f"pd.DataFrame({{0: {DATES}.tz_localize('Europe/Berlin')}})", "pandas", NEWER, FRAME
    ),
    "frame with categories": Row(
        "pd.DataFrame({0: pd.Categorical([2, 1], [3, 2, 1], ordered=True)})",
        "pandas",
        NEWER,
        f"({FRAME}, v[0].cat.categories.tolist(), v[0].cat.ordered)",
    ),
    "frame with Int64": Row("pd.DataFrame({0: pd.array([1, None], 'Int64')})", "pandas", NEWER, f"repr({FRAME})"),
    "frame with levels": Row(
        "pd.DataFrame({0: [1, 2]}, index=pd.MultiIndex.from_product([[1], [2, 3]]))", "pandas", NEWER, FRAME
    ),
    "frame with text": Row("pd.DataFrame({'s': ['a', 'b']})", "pandas", NOTHING, "v.s.tolist()"),
    "series": Row(
        "pd.Series([1.5, 2.5], name=5)", "pandas", NEWER, "(v.tolist(), v.name, str(v.dtype), repr(v.index))"
    ),
    "index of objects": Row("pd.Index(['a', 1], dtype=object, name=0)", "pandas", NEWER),
    "range": Row("pd.RangeIndex(0, 10, 3)", "pandas", NEWER),
    "periods": Row("pd.PeriodIndex(['2024-01', '2024-02'], freq='M')", "pandas", NEWER),
    "intervals": Row("pd.arrays.IntervalArray.from_breaks([0, 1, 2])", "pandas", NEWER, "repr(list(v))"),
    "Timestamp": Row("pd.Timestamp(0, tz='UTC').as_unit('ns')", "pandas", NEWER),
    "Timedelta and NaT": Row("[pd.Timedelta(5, 'ns'), pd.NaT, pd.NA]", "pandas", NEWER),
    "linear model": Row(
        "sklearn.linear_model.LinearRegression().fit([[0], [1]], [1, 2])", "sklearn", NEVER, "v.predict([[2]]).tolist()"
    ),
    "random forest": Row(
        "sklearn.ensemble.RandomForestClassifier(3, random_state=0).fit([[0], [1]], [0, 1])",
        "sklearn",
        NEVER,
        "v.predict([[2]]).tolist()",
    ),
    "pipeline": Row(
        "sklearn.pipeline.make_pipeline(sklearn.preprocessing.StandardScaler()).fit([[0], [1]])",
        "sklearn",
        NEVER,
        "v.transform([[2]]).tolist()",
    ),
    "model in a dict": Row(
        "{'m': sklearn.linear_model.LinearRegression().fit([[0], [1]], [1, 2])}",
        "sklearn",
        NEVER,
        "v['m'].predict([[2]]).tolist()",
    ),
}

PROGRAM = r"""
import collections, datetime, decimal, fractions, json, os, pathlib, sys, uuid, warnings
warnings.simplefilter("ignore")
import numpy as np, pandas as pd, sklearn.ensemble, sklearn.linear_model, sklearn.pipeline, sklearn.preprocessing
from kalecompiler.runtime import values
what, folder, rows = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
told = {"python": "%d.%d" % sys.version_info[:2], **{m.__name__: m.__version__ for m in (np, pd, sklearn)}}
def write(name, source):
    return values.save(os.path.join(folder, name), eval(source), "v")["digest"]
def read(name, source, shows):
    path = os.path.join(folder, name)
    twin = eval(source)
    try:
        with open(path + ".digest") as file:
            digest = file.read()
        v = values.load(path, digest, "v", "make")
        ours, theirs = [(type(v).__name__, eval(shows, dict(globals(), v=v))) for v in (v, twin)]
    except values.ValueProblem as error:
        return "refused: " + str(error)
    except Exception as error:
        return "raised %s: %s" % (type(error).__name__, error)
    return None if repr(ours) == repr(theirs) else repr(ours)[:500] + ", not " + repr(theirs)[:500]
def apart(name, source, shows):
    # In a process of its own: code of another Python may crash.
    get, put = os.pipe()
    child = os.fork()
    if child == 0:
        with os.fdopen(put, "w") as pipe:
            json.dump(read(name, source, shows), pipe)
            pipe.flush()
        os._exit(0)
    os.close(put)
    with os.fdopen(get) as pipe:
        text = pipe.read()
    status = os.waitpid(child, 0)[1]
    return json.loads(text) if text else "crashed: status %d" % status
found = {}
for name, (source, shows) in rows.items():
    found[name] = write(name, source) if what == "write" else apart(name, source, shows)
json.dump([told, found], sys.stdout)
"""


def interpret(python: str, what: str, folder: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """(the versions there, row -> its digest or what became of it) of writing or reading all rows in `folder`."""
    rows = json.dumps({name: (row.source, row.shows) for name, row in ROWS.items()})
    command = [python, "-c", PROGRAM, what, str(folder), rows]
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    versions, found = json.loads(done.stdout)
    if what == "write":
        for name, digest in found.items():
            (folder / f"{name}.digest").write_text(digest, encoding="utf-8")
    return versions, found


@dataclass(frozen=True)
class Crossing:
    """What became of each row on its way from one interpreter to another."""

    maker: dict[str, str]
    taker: dict[str, str]
    found: dict[str, Any]


@pytest.fixture(
    scope="module",
    params=[(p, way) for p in OTHERS or [""] for way in ("there to here", "here to there")],
    ids=lambda given: f"{Path(given[0]).parent.parent.name or 'none'}, {given[1]}",
)
def crossing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Crossing:
    other, way = request.param
    if not other:
        pytest.skip("there is no other interpreter: set KALEC_OTHER_PYTHON")
    for name in ("numpy", "pandas", "sklearn"):
        pytest.importorskip(name)
    folder = tmp_path_factory.mktemp("versions")
    maker, taker = (other, sys.executable) if way == "there to here" else (sys.executable, other)
    made, _ = interpret(maker, "write", folder)
    taken, found = interpret(taker, "read", folder)
    return Crossing(made, taken, found)


def minor(version: str) -> list[int]:
    return [int(part) for part in version.split(".")[:2]]


@pytest.mark.parametrize("name", ROWS)
def test_a_value_crosses_or_both_versions_are_named(name: str, crossing: Crossing) -> None:
    row, found = ROWS[name], crossing.found[name]
    library = "python" if row.library == "lambda" else row.library
    there, here = crossing.maker[library], crossing.taker[library]
    same, newer = minor(there) == minor(here), minor(there) <= minor(here) and minor(there)[0] == minor(here)[0]
    if same or row.promise == BOTH or (row.promise == NEWER and newer):
        assert found is None, (there, here, found)
        return
    if row.promise == NEVER:
        assert found is not None, f"{there} to {here}: it was loaded without a word"
    if found is not None:
        assert found.startswith("refused: cannot load 'v' ("), found
        assert there in found and here in found, (there, here, found)


def test_the_matrix_is_shown(crossing: Crossing) -> None:
    """With -s: which rows crossed."""
    lost = {name: text for name, text in crossing.found.items() if text is not None}
    print(f"\n{crossing.maker} -> {crossing.taker}: {len(ROWS) - len(lost)} of {len(ROWS)} equal")
    for name, text in lost.items():
        print(f"  {name}: {text[:300]}")
    assert set(crossing.found) == set(ROWS)


def test_the_same_version_loads_all(tmp_path: Path) -> None:
    """The table is right: between two processes of this interpreter each row comes equal."""
    for name in ("numpy", "pandas", "sklearn", "cloudpickle"):
        pytest.importorskip(name)
    interpret(sys.executable, "write", tmp_path)
    _, found = interpret(sys.executable, "read", tmp_path)
    assert found == dict.fromkeys(ROWS)
