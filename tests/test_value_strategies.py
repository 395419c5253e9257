"""Values that hypothesis makes come back as they were: containers, arrays, frames."""

from __future__ import annotations

import datetime
import decimal
import tempfile
from pathlib import Path
from typing import Any

import pytest
import valuecheck
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kalecompiler.runtime import values

np = pytest.importorskip("numpy")
pd = pytest.importorskip("pandas")
arrays = pytest.importorskip("hypothesis.extra.numpy")
frames = pytest.importorskip("hypothesis.extra.pandas")

few = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)

TEXT = st.text(st.characters(codec=None, exclude_categories=[]), max_size=8)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    TEXT,
    st.binary(max_size=20),
    st.decimals(),
    st.fractions(),
    st.dates(),
    st.datetimes(timezones=st.none() | st.just(datetime.timezone.utc)),
    st.timedeltas(),
    st.uuids(),
)
KEYS = st.one_of(st.none(), st.booleans(), st.integers(), TEXT, st.binary(max_size=5), st.tuples(st.integers(), TEXT))


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(KEYS, inner, max_size=4),
        st.lists(inner, max_size=3).map(lambda items: [items, items]),
    )


NESTED = st.recursive(st.one_of(SCALARS, st.frozensets(KEYS), st.sets(KEYS, max_size=5)), _containers, max_leaves=12)
DTYPES = st.one_of(
    arrays.scalar_dtypes(),
    arrays.array_dtypes(max_size=3),
    st.just(np.dtype(object)),
)
LABELS = st.one_of(
    frames.range_indexes(max_size=5),
    frames.indexes(elements=st.integers(-9, 9), max_size=5, unique=False),
    frames.indexes(elements=st.text("abc", max_size=2), dtype=object, max_size=5, unique=False),
)
KINDS = ("bool", "i1", "i8", "u2", "f4", "f8", "c16", "M8[ns]", "m8[ns]", "S3")


@st.composite
def an_array(draw: st.DrawFn) -> Any:
    """An array of any type, shape and order; sometimes a view, sometimes not to be written."""
    dtype = draw(DTYPES)
    shape = draw(arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
    items = st.one_of(st.none(), st.integers(), TEXT, st.lists(st.integers(), max_size=2)) if dtype.hasobject else None
    array = draw(arrays.arrays(dtype, shape, elements=items))
    if array.ndim and draw(st.booleans()):
        array = array[draw(arrays.basic_indices(array.shape, allow_newaxis=True, allow_ellipsis=True))]
    array = np.asarray(array, order=draw(st.sampled_from("KCF")))
    if array.flags.writeable and draw(st.booleans()):
        array.flags.writeable = False
    return array


@st.composite
def a_frame(draw: st.DrawFn) -> Any:
    """A frame of a few columns of any type, with any index, sometimes with columns that are no numbers."""
    columns = [
        frames.column(name, dtype=draw(st.sampled_from(KINDS)))
        for name in draw(st.lists(st.text("ab", max_size=2), max_size=4, unique=True))
    ]
    frame = draw(frames.data_frames(columns, index=draw(st.just(LABELS))))
    for name, column in draw(
        st.dictionaries(st.text("xyz", max_size=1), st.sampled_from(sorted(EXTRA)), max_size=3)
    ).items():
        frame[name] = EXTRA[column](len(frame))
    frame.columns.name = draw(st.none() | TEXT)
    frame.attrs = draw(st.dictionaries(st.text(max_size=3), st.integers(), max_size=2))
    return frame


EXTRA: dict[str, Any] = {
    "text": lambda n: ["größe", None, ""][:n] + ["x"] * (n - 3),
    "objects": lambda n: pd.array([[1], None, "a", decimal.Decimal("1.0"), 2.5][:n] + [0] * (n - 5), dtype=object),
    "text as objects": lambda n: pd.array(["a"] * n, dtype=object),
    "categories": lambda n: pd.Categorical(["a", None, "b"][:n] + ["a"] * (n - 3), ["b", "a", "c"], ordered=True),
    "numbers or none": lambda n: pd.array([None, 1, 2][:n] + [3] * (n - 3), "Int16"),
    "truth or none": lambda n: pd.array([None, True][:n] + [False] * (n - 2), "boolean"),
    "times in a zone": lambda n: pd.date_range("2024-10-27", periods=n, freq="h", tz="Europe/Berlin"),
    "periods": lambda n: pd.period_range("2024", periods=n, freq="M"),
    "intervals": lambda n: pd.interval_range(0, n),
    "sparse": lambda n: pd.arrays.SparseArray([0, 1, 0][:n] + [0] * (n - 3)),
}


def comes_back(value: Any, twin: Any) -> None:
    """Save and load: what comes must be as the twin, which was not saved."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "value")
        about = values.save(path, value, "v")
        found = values.load(path, about["digest"], "v", "make")
        told = valuecheck.verdict(found, twin)
        assert told is None, told


@few
@given(NESTED)
def test_containers_come_back(value: Any) -> None:
    comes_back(value, value)


@few
@given(an_array())
def test_arrays_come_back(value: Any) -> None:
    comes_back(value, value.copy("K") if value.flags.writeable else value)


@few
@given(a_frame())
def test_frames_come_back(value: Any) -> None:
    comes_back(value, value)


@few
@given(frames.series(dtype=float, index=LABELS), st.none() | TEXT | st.tuples(st.integers(), TEXT))
def test_series_come_back(value: Any, name: Any) -> None:
    comes_back(value.rename(name), value.rename(name))


@few
@given(st.recursive(st.one_of(an_array(), SCALARS), _containers, max_leaves=5))
def test_arrays_in_containers_come_back(value: Any) -> None:
    comes_back(value, value)


@few
@given(arrays.arrays(np.float64, st.tuples(st.integers(150_000, 400_000)), fill=st.floats()), st.integers(1, 3))
def test_large_arrays_come_back(value: Any, steps: int) -> None:
    """Over a mebibyte, where buffers are kept apart from the pickle; with steps below it."""
    comes_back(value[::steps], value[::steps].copy())


def test_a_difference_would_be_seen(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="not"):
        comes_back(np.zeros((2, 2)), np.zeros((2, 2), order="F"))
    with pytest.raises(AssertionError, match="2, not 3"):
        comes_back([{"a": 2}], [{"a": 3}])
