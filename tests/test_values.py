"""Values as files: what comes back is what was saved; what cannot be saved says why."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import fractions
import math
import pathlib
import pickle
import re
import sys
import types
import uuid
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from runtime_steps import output, piece, run, step, take

from kalecompiler.runtime import byvalue, values


class Pair(NamedTuple):
    a: Any
    b: Any


class Colour(enum.Enum):
    RED = 1


class Slotted:
    __slots__ = ("x", "y")

    def __init__(self) -> None:
        self.x = [1]


def same(path: Path, value: Any) -> Any:
    """Save and load."""
    metadata = values.save(str(path / "value"), value, "v")
    return values.load(str(path / "value"), metadata["digest"], "v", "maker")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="None"),
        pytest.param(True, id="bool"),
        pytest.param(2**200, id="a large integer"),
        pytest.param(-0.5, id="float"),
        pytest.param(1 + 2j, id="complex"),
        pytest.param("\u00e9\ud800\0", id="text with a lone surrogate"),
        pytest.param(b"\0\xff", id="bytes"),
        pytest.param(b"x" * (1 << 21), id="large bytes"),
        pytest.param(bytearray(b"y" * (1 << 21)), id="a large bytearray"),
        pytest.param([], id="empty list"),
        pytest.param((), id="empty tuple"),
        pytest.param([1, "a", None, [2.5]], id="list"),
        pytest.param({"b": 1, "a": {(1, 2): {3}}}, id="dict with a tuple as key"),
        pytest.param(frozenset({1, "x"}), id="frozenset"),
        pytest.param(range(3, 9, 2), id="range"),
        pytest.param(slice(1, None), id="slice"),
        pytest.param(Ellipsis, id="ellipsis"),
        pytest.param(collections.OrderedDict(z=1, a=2), id="OrderedDict"),
        pytest.param(collections.Counter("hello"), id="Counter"),
        pytest.param(collections.deque([1, 2], maxlen=2), id="deque"),
        pytest.param(collections.defaultdict(list, a=[1]), id="defaultdict"),
        pytest.param(Pair(1, [2]), id="namedtuple"),
        pytest.param(Colour.RED, id="enum"),
        pytest.param(decimal.Decimal("1.10"), id="decimal"),
        pytest.param(fractions.Fraction(1, 3), id="fraction"),
        pytest.param(datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone.utc), id="datetime with a time zone"),
        pytest.param(pathlib.PurePosixPath("/a/b"), id="path"),
        pytest.param(uuid.UUID(int=5), id="uuid"),
        pytest.param(re.compile("a+", re.IGNORECASE), id="pattern"),
        pytest.param(types.SimpleNamespace(a=[1]), id="namespace"),
        pytest.param(len, id="a builtin function"),
        pytest.param(math.sqrt, id="a function of a module"),
        pytest.param(collections.OrderedDict, id="a class of a module"),
        pytest.param([1, 2].__len__, id="a bound method"),
        pytest.param(NotImplemented, id="NotImplemented"),
        pytest.param(ValueError("a", 1).args, id="arguments"),
    ],
)
def test_a_value_comes_back(tmp_path: Path, value: Any) -> None:
    back = same(tmp_path, value)
    assert type(back) is type(value)
    assert back() == value() if callable(value) and not isinstance(value, type) and value is not back else back == value
    assert re.sub("0x[0-9a-f]+", "", repr(back)) == re.sub("0x[0-9a-f]+", "", repr(value))


def test_nan_and_state_come_back(tmp_path: Path) -> None:
    assert math.isnan(same(tmp_path, math.nan))
    assert repr(same(tmp_path, ValueError("a", [1]))) == "ValueError('a', [1])"
    assert vars(type(same(tmp_path, Slotted())))["x"] is vars(Slotted)["x"]
    assert same(tmp_path, Slotted()).x == [1] and not hasattr(same(tmp_path, Slotted()), "y")


def test_iterators_go_on_where_they_were(tmp_path: Path) -> None:
    numbers = iter([1, 2, 3])
    next(numbers)
    assert list(same(tmp_path, numbers)) == [2, 3]


def test_modules_go_by_name(tmp_path: Path) -> None:
    back = same(tmp_path, {"m": math, "also": [math], "sub": collections.abc})
    assert back["m"] is math and back["also"][0] is math and back["sub"] is collections.abc


def test_sharing_and_cycles_survive(tmp_path: Path) -> None:
    shared = [1]
    loop: list[Any] = [shared, {"again": shared}]
    loop.append(loop)
    back = same(tmp_path, loop)
    assert back[0] is back[1]["again"] and back[2] is back


def test_an_absent_value_comes_back_absent(tmp_path: Path) -> None:
    metadata = values.save(str(tmp_path / "value"), values.ABSENT, "v")
    assert metadata["absent"] is True
    assert values.load(str(tmp_path / "value"), metadata["digest"]) is values.ABSENT
    assert repr(values.ABSENT) == "<absent>"


def arrays() -> list[Any]:
    numpy = pytest.importorskip("numpy")
    big = numpy.arange(300_000, dtype="f8")
    records = numpy.array([(1, "a"), (2, "b")], dtype=[("n", "i4"), ("s", "U3")])
    return [
        pytest.param(numpy.arange(6, dtype="i2").reshape(2, 3), id="small"),
        pytest.param(big, id="large"),
        pytest.param(big.reshape(1000, 300), id="large and two-dimensional"),
        pytest.param(numpy.asfortranarray(big.reshape(1000, 300)), id="in Fortran's order"),
        pytest.param(big[::2], id="a view with steps"),
        pytest.param(big.astype(">f4"), id="big-endian"),
        pytest.param(numpy.zeros((0, 3)), id="empty"),
        pytest.param(numpy.array(5), id="without dimensions"),
        pytest.param(numpy.float32(0.1), id="a scalar"),
        pytest.param(numpy.array([1, "a", None], dtype=object), id="objects"),
        pytest.param(records, id="records"),
        pytest.param(numpy.array(["2024-01-01"], "M8[D]").repeat(200_000), id="dates"),
        pytest.param(numpy.ma.masked_array([1, 2], [True, False]), id="masked"),
        pytest.param(numpy.dtype([("a", "f8")]), id="a dtype"),
    ]


@pytest.mark.parametrize("value", arrays())
def test_arrays_come_back(tmp_path: Path, value: Any) -> None:
    import numpy

    back = same(tmp_path, value)
    assert type(back) is type(value)
    if isinstance(value, numpy.dtype):
        assert back == value
        return
    assert back.dtype == value.dtype and back.shape == value.shape
    numpy.testing.assert_array_equal(back, value)
    if isinstance(value, numpy.ndarray):
        assert back.flags.writeable
        back[...] = back
        contiguous = value.flags.c_contiguous or value.flags.f_contiguous
        assert not contiguous or back.flags.f_contiguous == value.flags.f_contiguous


def test_a_read_only_array_stays_so(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    value = numpy.zeros(300_000)
    value.flags.writeable = False
    assert not same(tmp_path, value).flags.writeable


def frames() -> list[Any]:
    pandas = pytest.importorskip("pandas")
    numpy = pytest.importorskip("numpy")
    mixed = {"i": [1, 2], "f": [0.5, numpy.nan], "s": ["a", None], "c": pandas.Categorical(["x", "y"], ordered=True)}
    dates = pandas.date_range("2024-01-01", periods=2, tz="Europe/Berlin")
    long = pandas.DataFrame({"n": numpy.arange(300_000), "x": numpy.random.default_rng(0).random(300_000)})
    return [
        pytest.param(pandas.DataFrame(mixed, index=dates), id="columns of all kinds"),
        pytest.param(long, id="long"),
        pytest.param(long.set_index("n"), id="with an index"),
        pytest.param(pandas.DataFrame([[1, 2]], columns=["a", "a"]), id="two columns of one name"),
        pytest.param(pandas.DataFrame(), id="empty"),
        pytest.param(pandas.DataFrame({"o": pandas.Series([1, "a", [2]], dtype=object)}), id="objects"),
        pytest.param(long.groupby(long.n % 3).agg(["min", "max"]), id="columns on two levels"),
    ]


@pytest.mark.parametrize("value", frames())
def test_frames_come_back(tmp_path: Path, value: Any) -> None:
    import pandas

    value.attrs["source"] = "here"
    back = same(tmp_path, value)
    pandas.testing.assert_frame_equal(back, value, check_freq=True)
    assert back.attrs == {"source": "here"}
    if len(back) and len(back.columns):
        back.iloc[0, 0] = back.iloc[0, 0]


def test_series_and_indexes_come_back(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    series = pandas.Series([1.5, None], index=["a", "b"], name="s")
    pandas.testing.assert_series_equal(same(tmp_path, series), series)
    index = pandas.MultiIndex.from_product([[1, 2], ["x"]], names=["n", "l"])
    pandas.testing.assert_index_equal(same(tmp_path, index), index)


def test_estimators_come_back(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    linear = pytest.importorskip("sklearn.linear_model")
    pipe = pytest.importorskip("sklearn.pipeline")
    scale = pytest.importorskip("sklearn.preprocessing")
    data, target = numpy.random.default_rng(0).random((50, 3)), numpy.arange(50) % 2
    model = pipe.make_pipeline(scale.StandardScaler(), linear.LogisticRegression()).fit(data, target)
    numpy.testing.assert_array_equal(same(tmp_path, model).predict_proba(data), model.predict_proba(data))


@pytest.mark.parametrize(
    ("value", "about"),
    [
        pytest.param([1], {"type": "list", "kind": "Artifact"}, id="a builtin type"),
        pytest.param(Pair(1, 2), {"type": f"{__name__}.Pair", "kind": "Artifact"}, id="a class of a module"),
        pytest.param(
            collections.OrderedDict(),
            {"type": "collections.OrderedDict", "kind": "Artifact"},
            id="of the standard library",
        ),
        pytest.param(
            types.SimpleNamespace(shape=(2, "x")),
            {"type": "types.SimpleNamespace", "kind": "Artifact"},
            id="no real shape",
        ),
    ],
)
def test_a_value_is_described(value: Any, about: dict[str, Any]) -> None:
    assert values.describe(value) == about


def test_library_objects_are_described_by_their_public_name() -> None:
    pandas = pytest.importorskip("pandas")
    numpy = pytest.importorskip("numpy")
    linear = pytest.importorskip("sklearn.linear_model")
    about = {"type": "pandas.DataFrame", "kind": "Dataset", "shape": [1, 1], "rows": 1, "columns": 1}
    assert values.describe(pandas.DataFrame({"a": [1]})) == {**about, "dtypes": {"a": "int64"}}
    about = {"type": "numpy.ndarray", "kind": "Dataset", "shape": [2, 3], "rows": 2, "columns": 3, "dtype": "float64"}
    assert values.describe(numpy.zeros((2, 3))) == about
    kind = "sklearn.linear_model.LogisticRegression"
    assert values.describe(linear.LogisticRegression()) == {"type": kind, "kind": "Model"}


LAMBDAS = """
factor = 2
def make(n):
    seen = [n]
    return lambda x: x * factor + seen[0]
class Local:
    pass
fs = {"f": make(1), "g": lambda x: Local}
"""


def test_lambdas_read_the_variables_of_the_step_that_calls_them(tmp_path: Path) -> None:
    pytest.importorskip("cloudpickle")
    local = piece("class Local:\n    pass", "functions", "nb.ipynb f")
    made = run(tmp_path, step(LAMBDAS, name="make", outputs=[output("fs")]))
    assert made.err == ""
    use = "print(fs['f'](10), fs['g'](0) is Local)\nfactor = 3\nprint(fs['f'](10))"
    done = run(tmp_path, step(local, use, inputs=[take("fs", "make")]), {"make": made})
    assert (done.out, done.err) == ("21 True\n31\n", "")


def test_lambdas_are_refused_without_cloudpickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byvalue, "picklers", list)
    with pytest.raises(values.ValueProblem) as caught:
        values.save(str(tmp_path / "value"), {"f": [lambda: 1]}, "fs")
    assert str(caught.value).startswith("fs['f'][0] is a function, which cannot be saved: ")
    assert str(caught.value).endswith(
        "\n  help: define it with def at the top level of a cell, or add the package cloudpickle to the step"
    )


REFUSED = """
import collections, functools, io, socket, sqlite3, ssl, threading, sys, mmap, queue
class Model:
    def __init__(self, part): self.part = part
class Raises:
    def __getstate__(self): raise RuntimeError("not me")
class Slots:
    __slots__ = ("inner", "unset")
def gen(): yield 1
"""


@pytest.mark.parametrize(
    ("expression", "blamed", "cure"),
    [
        pytest.param("threading.Lock()", "v is a _thread.lock", "create it", id="a lock"),
        pytest.param("Model(threading.Lock())", "v.part is a _thread.lock", "create it", id="a lock inside"),
        pytest.param("[1, {'k': Model([gen()])}]", "v[1]['k'].part[0] is a generator", "list(...)", id="deep inside"),
        pytest.param("(x for x in [1])", "v is a generator", "list(...)", id="a generator"),
        pytest.param("open('/dev/null')", "v is a _io.TextIOWrapper", "the path", id="an open file"),
        pytest.param("open('/dev/null', 'rb')", "v is a _io.BufferedReader", "the path", id="an open binary file"),
        pytest.param("Model(socket.socket())", "v.part is a socket.socket", "connect", id="a socket"),
        pytest.param("sqlite3.connect(':memory:')", "v is a sqlite3.Connection", "connect", id="a database"),
        pytest.param("ssl.create_default_context()", "v is a ssl.SSLContext", "connect", id="an SSL context"),
        pytest.param("Raises()", "v is a __main__.Raises", "__getstate__", id="a class that refuses"),
        pytest.param("memoryview(b'x')", "v is a memoryview", "the content", id="a memoryview"),
        pytest.param("queue.Queue()", "v.mutex is a _thread.lock", "create it", id="a queue"),
        pytest.param("functools.partial(print, gen())", "v.args[0] is a generator", "list(...)", id="in a partial"),
        pytest.param("sys._getframe()", "v is a frame", "", id="a frame"),
        pytest.param("{Model: 1, frozenset([gen]): gen()}", "v[frozenset] is a generator", "list(...)", id="odd keys"),
        pytest.param("type(sys)('made_up')", "v is a module", "import it", id="a module that cannot be imported"),
    ],
)
def test_what_cannot_be_saved_says_why(tmp_path: Path, expression: str, blamed: str, cure: str) -> None:
    content = step(REFUSED + f"v = {expression}", outputs=[output("v", "train", "test", cell="nb.ipynb work[1]")])
    done = run(tmp_path, content)
    assert done.status == 1
    first, cured = done.err.splitlines()
    assert re.match(
        r"kalec: step work failed: cannot hand 'v' \([\w.]+, from nb.ipynb work\[1\]\) on to train, test: ", first
    )
    assert f": {blamed}, which cannot be saved: " in first
    assert cured.startswith("  help: ") and cure in cured
    assert not (done.folder / "executor_output.json").exists()
    assert list((done.folder / "artifacts").iterdir()) == []


def test_the_search_for_the_culprit_ends(tmp_path: Path) -> None:
    wide: list[Any] = [[0] for _ in range(100_000)]
    loop: dict[str, Any] = {"wide": wide}
    loop["self"] = loop
    loop["lock"] = (item for item in ()).gi_frame  # one that leads to no other
    with pytest.raises(values.ValueProblem, match=r"^v\['lock'\] is a frame"):
        values.save(str(tmp_path / "value"), loop, "v")


def test_a_deep_value_is_refused_not_crashed_on(tmp_path: Path) -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(values.ValueProblem, match="RecursionError"):
        values.save(str(tmp_path / "value"), deep, "v")


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("kit")
    module.Tool = type("Tool", (), {"__module__": "kit"})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kit", module)
    values.save(str(tmp_path / "value"), module.Tool(), "tool")  # type: ignore[attr-defined]
    monkeypatch.delitem(sys.modules, "kit")
    with pytest.raises(values.ValueProblem) as caught:
        values.load(str(tmp_path / "value"), None, "tool", "make")
    assert re.fullmatch(
        r"cannot load 'tool' \(kit.Tool, made by step make with Python 3.\d+\) from .*/value: it needs the module "
        r"'kit', which cannot be imported: No module named 'kit'\n  help: add the package of 'kit' to this step",
        str(caught.value),
    )


class Picky:
    def __setstate__(self, state: Any) -> None:
        raise KeyError("version")

    def __getstate__(self) -> Any:
        return {"a": 1}


def test_an_error_while_loading_is_named(tmp_path: Path) -> None:
    values.save(str(tmp_path / "value"), Picky(), "p")
    with pytest.raises(values.ValueProblem, match=r"cannot load 'p' .*KeyError: 'version'"):
        values.load(str(tmp_path / "value"), None, "p")


def test_the_same_value_gives_the_same_bytes(tmp_path: Path) -> None:
    value = {"a": [1, 2.5], "b": bytearray(b"z" * (1 << 21))}
    digests = {values.save(str(tmp_path / name), value, "v")["digest"] for name in ("x", "y")}
    assert len(digests) == 1
    assert pickle.HIGHEST_PROTOCOL >= 5
