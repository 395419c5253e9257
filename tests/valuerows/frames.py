# ruff: noqa: E501 - cells as people write them
"""pandas' values."""

from valuetable import Row

IMPORTS = """import datetime
import decimal
import numpy as np
import pandas as pd"""

OWN = """
class Trips(pd.DataFrame):
    _metadata = ["city"]

    @property
    def _constructor(self):
        return Trips


class Prices(pd.Series):
    _metadata = ["_name", "currency"]

    @property
    def _constructor(self):
        return Prices


class Cell:
    def __init__(self, n):
        self.n = n
"""

P = "pandas"
PA = "pandas pyarrow"
DAYS = "pd.date_range('2024-03-30', periods=3, tz='Europe/Berlin')"

FRAMES = (
    Row(
        "a mixed frame",
        "pd.DataFrame({'i': [1, 2], 'f': [0.5, np.nan], 's': ['a', None], 'b': [True, False]})",
        needs=P,
    ),
    Row(
        "a frame of all types",
        "pd.DataFrame({k: np.arange(3).astype(k) for k in 'bool i1 i2 i4 i8 u1 u8 f4 f8 c16'.split()})",
        needs=P,
    ),
    Row(
        "a large frame",
        "pd.DataFrame({'n': np.arange(200_000), 'x': np.arange(200_000.0), 'y': np.arange(200_000.0)})",
        needs=P,
    ),
    Row(
        "a large frame of one block", "pd.DataFrame(np.arange(600_000.0).reshape(-1, 3), columns=list('abc'))", needs=P
    ),
    Row(
        "a large frame, columns by columns",
        "pd.DataFrame(np.asfortranarray(np.arange(600_000.0).reshape(-1, 3)))",
        needs=P,
    ),
    Row("a part of a large frame", "pd.DataFrame({'n': np.arange(400_000), 'x': 0.5})[5::2]", needs=P),
    Row(
        "a large frame with text",
        "pd.DataFrame({'n': np.arange(50_000), 't': [f't{i % 100}' for i in range(50_000)]})",
        needs=P,
    ),
    Row(
        "a frame after changes",
        "V = pd.DataFrame({'a': [1, 2]})\nV['b'] = V.a * 2\nV.insert(0, 'c', 'x')\ndel V['a']",
        needs=P,
    ),
    Row("an empty frame", "pd.DataFrame()", needs=P),
    Row("columns without rows", "pd.DataFrame({'a': pd.Series(dtype='i4'), 'b': pd.Series(dtype=object)})", needs=P),
    Row("rows without columns", "pd.DataFrame(index=range(5))", needs=P),
    Row("columns of one name", "pd.DataFrame([[1, 'a', 2.5]], columns=['x', 'x', 'y'])", needs=P),
    Row(
        "columns of any name",
        "pd.DataFrame([[1, 2, 3, 4, 5]], columns=[None, ('a', 1), 2.5, '\\ud800', pd.Timestamp(0)])",
        needs=P,
    ),
    Row("columns of ints", "pd.DataFrame({0: [1], 5: ['a']})", needs=P),
    Row("columns of a range", "pd.DataFrame([[1, 2]])", "type(it.columns) is pd.RangeIndex", needs=P),
    Row(
        "columns on two levels",
        "pd.DataFrame([[1, 2.5]], columns=pd.MultiIndex.from_tuples([('a', 'x'), ('b', 'y')], names=['l', None]))",
        needs=P,
    ),
    Row(
        "columns of categories",
        "pd.DataFrame([[1, 2]], columns=pd.CategoricalIndex(['a', 'b'], ordered=True, name='c'))",
        needs=P,
    ),
    Row("columns of dates", "pd.DataFrame([[1, 2]], columns=pd.date_range('2024', periods=2, freq='MS'))", needs=P),
    Row(
        "columns of objects",
        "pd.DataFrame([[1, 2]], columns=pd.Index(['a', 'b'], dtype=object))",
        "it.columns.dtype == object",
        needs=P,
    ),
    Row(
        "rows on two levels",
        "pd.DataFrame({'a': [1, 2]}, index=pd.MultiIndex.from_product([[1], ['x', 'y']], names=['n', 'l']))",
        needs=P,
    ),
    Row(
        "rows on levels of which some are unused",
        "pd.DataFrame({'a': [1, 2, 3]}, index=pd.MultiIndex.from_arrays([[1, 2, 3], ['x', 'y', None]]))[:2]",
        needs=P,
    ),
    Row("names of rows and columns", "pd.DataFrame({'a': [1]}).rename_axis(index='r', columns='c')", needs=P),
    Row(
        "rows of objects",
        "pd.DataFrame({'a': [1, 2]}, index=pd.Index(['x', 'y'], dtype=object))",
        "it.index.dtype == object",
        needs=P,
    ),
    Row(
        "rows of dates with a frequency",
        "pd.DataFrame({'a': [1, 2, 3]}, index=pd.date_range('2024', periods=3, freq='B'))",
        "it.index.freq == 'B'",
        needs=P,
    ),
    Row(
        "rows of a range with steps",
        "pd.DataFrame({'a': [1, 2]}, index=pd.RangeIndex(4, 0, -2, name='r'))",
        "type(it.index) is pd.RangeIndex",
        needs=P,
    ),
    Row("rows that repeat", "pd.DataFrame({'a': [1, 2]}, index=[7, 7])", needs=P),
    Row("an object column", "pd.DataFrame({'o': pd.Series([1, 'a', None, [2], {'k': (3,)}], dtype=object)})", needs=P),
    Row(
        "an object column of text",
        "pd.DataFrame({'o': pd.Series(['a', 'b'], dtype=object)})",
        "it.o.dtype == object",
        needs=P,
    ),
    Row(
        "an object column of text and nothing",
        "pd.DataFrame({'o': pd.Series(['a', None, np.nan, pd.NA], dtype=object)})",
        "it.o.tolist()[1] is None and it.o.tolist()[3] is pd.NA",
        needs=P,
    ),
    Row("an object column of numbers", "pd.DataFrame({'o': pd.Series([1, 2], dtype=object)})", needs=P),
    Row(
        "an object column of dates",
        "pd.DataFrame({'o': pd.Series([datetime.date(2024, 1, 1), None], dtype=object)})",
        needs=P,
    ),
    Row(
        "an object column of Decimals",
        "pd.DataFrame({'o': [decimal.Decimal('1.10')]})",
        "str(it.o[0]) == '1.10'",
        needs=P,
    ),
    Row(
        "an object column of the notebook's objects",
        "pd.DataFrame({'o': [Cell(1), Cell(2)]})",
        "it.o[1].n == 2",
        define=OWN,
        needs=P,
        loose=True,
    ),
    Row(
        "an object column of frames",
        "V = pd.DataFrame({'o': [1]}, dtype=object)\nV.at[0, 'o'] = pd.DataFrame({'a': [1]})",
        "it.at[0, 'o'].equals(twin.at[0, 'o'])",
        needs=P,
        loose=True,
    ),
    Row(
        "a category",
        "pd.DataFrame({'c': pd.Categorical(['x', None], categories=['y', 'x'], ordered=True)})",
        "it.c.cat.ordered",
        needs=P,
    ),
    Row("a category of numbers", "pd.DataFrame({'c': pd.Categorical([2, 1], categories=[3, 2, 1])})", needs=P),
    Row("a category of intervals", "pd.DataFrame({'c': pd.cut([1, 5, 9], 3)})", "it.c.dtype == twin.c.dtype", needs=P),
    Row("a category of objects", "pd.DataFrame({'c': pd.Categorical(pd.Series(['a', 'b'], dtype=object))})", needs=P),
    Row("times in a zone", f"pd.DataFrame({{'t': {DAYS}}})", needs=P),
    Row("times with an offset", "pd.DataFrame({'t': pd.to_datetime(['2024-01-01T00:00+05:30'])})", needs=P),
    *(
        Row(
            f"times in {unit}",
            f"pd.DataFrame({{'t': np.array(['2024-01-01', 'NaT'], 'M8[{unit}]'), 'd': np.array([1, 2], 'm8[{unit}]')}})",
            needs=P,
        )
        for unit in ("s", "ms", "us", "ns")
    ),
    Row(
        "Int64 with a gap",
        "pd.DataFrame({'i': pd.array([1, None], 'Int64'), 'u': pd.array([1, 2], 'UInt8')})",
        "it.i[1] is pd.NA",
        needs=P,
    ),
    Row("boolean with a gap", "pd.DataFrame({'b': pd.array([True, None], 'boolean')})", needs=P),
    Row("Float32 with a gap", "pd.DataFrame({'f': pd.array([0.5, None], 'Float32')})", needs=P),
    Row(
        "strings of Python",
        "pd.DataFrame({'s': pd.array(['a', None], pd.StringDtype('python'))})",
        "it.s.dtype.storage == 'python'",
        needs=P,
    ),
    Row(
        "strings of pyarrow",
        "pd.DataFrame({'s': pd.array(['a', None], pd.StringDtype('pyarrow'))})",
        "it.s.dtype.storage == 'pyarrow'",
        needs=PA,
    ),
    Row(
        "types of pyarrow",
        "pd.DataFrame({'s': pd.array(['a', None], 'string[pyarrow]'), 'i': pd.array([1, None], 'int64[pyarrow]'),"
        " 't': pd.array([0, 1], 'timestamp[us, tz=UTC][pyarrow]')})",
        needs=PA,
    ),
    Row(
        "lists of pyarrow",
        "V = pd.ArrowDtype(__import__('pyarrow').list_(__import__('pyarrow').int32()))\nV = pd.DataFrame({'l': pd.array([[1], None], V)})",
        needs=PA,
    ),
    Row(
        "a sparse column",
        "pd.DataFrame({'s': pd.arrays.SparseArray([0, 0, 1.5], fill_value=0)})",
        "it.s.dtype.fill_value == 0",
        needs=P,
    ),
    Row(
        "intervals",
        "pd.DataFrame({'v': pd.arrays.IntervalArray.from_breaks([0, 1, 2], closed='left')})",
        "it.v[0].closed == 'left'",
        needs=P,
    ),
    Row("periods", "pd.DataFrame({'p': pd.period_range('2024-01', periods=2, freq='Q-MAR')})", needs=P),
    Row(
        "attrs",
        "V = pd.DataFrame({'a': [1]})\nV.attrs['source'] = {'file': ['x.csv']}",
        "it.attrs == {'source': {'file': ['x.csv']}}",
        needs=P,
    ),
    Row(
        "no labels twice",
        "pd.DataFrame({'a': [1]}).set_flags(allows_duplicate_labels=False)",
        "not it.flags.allows_duplicate_labels",
        needs=P,
    ),
    Row(
        "a frame class of the notebook",
        "V = Trips({'a': [1]})\nV.city = ['Bonn']",
        "it.city == ['Bonn'] and type(it[['a']]) is Trips",
        define=OWN,
        needs=P,
    ),
    Row(
        "a frame class with attrs",
        "V = Trips({'a': np.arange(200_000.0)})\nV.attrs['k'] = 1",
        "it.attrs == {'k': 1}",
        define=OWN,
        needs=P,
    ),
    Row("a frame as it was read", "pd.read_csv(__import__('io').StringIO('a,b,c\\n1,x,\\n2,,2.5'))", needs=P),
    Row(
        "a described frame",
        "pd.DataFrame({'a': [1, 2], 'b': [3, 4]}).groupby('a').agg(['min', 'max']).describe()",
        needs=P,
    ),
    Row(
        "a frame in a dict, twice",
        "V = {'a': pd.DataFrame({'x': [1]})}\nV['b'] = V['a']",
        "it['a'] is it['b']",
        needs=P,
        loose=True,
    ),
    Row(
        "a list of frames",
        "[pd.DataFrame({'x': [1]}), (pd.DataFrame(),)]",
        "it[0].equals(twin[0])",
        needs=P,
        loose=True,
    ),
)

SERIES = (
    Row("a series", "pd.Series([1.5, None], index=['a', 'b'], name='s')", needs=P),
    Row("a series with a tuple for a name", "pd.Series([1], name=('a', 1))", "it.name == ('a', 1)", needs=P),
    Row("a series of text", "pd.Series(['a', None, 'größe'])", needs=P),
    Row("a series of objects", "pd.Series([[1], 'a'], dtype=object, index=[True, False])", needs=P),
    Row("a large series", "pd.Series(np.arange(300_000.0), name='x')", needs=P),
    Row("a large series of Int64", "pd.Series(np.arange(300_000), dtype='Int64')", needs=P),
    Row("a large series of categories", "pd.Series(np.arange(300_000) % 7).astype('category')", needs=P),
    Row("a series of Timestamps", f"pd.Series({DAYS})", needs=P),
    Row(
        "a series of Timestamps of two zones",
        "pd.Series([pd.Timestamp(0, tz='UTC'), pd.Timestamp(0, tz='Asia/Tokyo')], dtype=object)",
        needs=P,
    ),
    Row(
        "a series class of the notebook",
        "V = Prices([1.5], name='p')\nV.currency = 'EUR'",
        "it.currency == 'EUR'",
        define=OWN,
        needs=P,
    ),
    Row("an empty series", "pd.Series(dtype='f4', name='e')", needs=P),
    Row(
        "attrs and flags of a series",
        "V = pd.Series([1]).set_flags(allows_duplicate_labels=False)\nV.attrs['a'] = 1",
        needs=P,
    ),
    Row(
        "a column and its frame",
        "V = [pd.DataFrame({'a': [1, 2]})]\nV.append(V[0]['a'])",
        "it[1].equals(it[0]['a'])",
        needs=P,
        loose=True,
    ),
)

INDEXES = tuple(
    Row(f"an index: {name}", source, needs=P)
    for name, source in {
        "ints": "pd.Index([3, 1], dtype='i4', name='n')",
        "floats": "pd.Index([0.5, np.nan])",
        "text": "pd.Index(['a', None])",
        "objects": "pd.Index([1, 'a', None], dtype=object)",
        "text as objects": "pd.Index(['a', 'b'], dtype=object)",
        "a range": "pd.RangeIndex(0, 10, 3, name='r')",
        "dates with a frequency": "pd.date_range('2024', periods=3, freq='2h', name='t')",
        "dates without a frequency": "pd.DatetimeIndex(['2024-01-05', '2024-01-01'])",
        "dates in a zone": DAYS,
        "dates in seconds": "pd.date_range('2024', periods=3, freq='D', unit='s')",
        "durations": "pd.timedelta_range('1h', periods=3, freq='h')",
        "periods": "pd.period_range('2024', periods=3, freq='M', name='p')",
        "intervals": "pd.interval_range(0, 3, closed='both')",
        "categories": "pd.CategoricalIndex(['b', 'a'], categories=['b', 'a', 'c'], ordered=True)",
        "levels": "pd.MultiIndex.from_arrays([[1, 2], ['x', None], pd.to_datetime(['2024', '2025'])], names=['n', None, 't'])",
        "Int64": "pd.Index(pd.array([1, None], 'Int64'))",
        "nothing": "pd.Index([], name='e')",
        "large": "pd.Index(np.arange(300_000) * 2)",
    }.items()
)

OTHERS = (
    Row("Timestamp", "pd.Timestamp('2024-10-27', tz='Europe/Berlin')", needs=P),
    Row("Timestamp in seconds", "pd.Timestamp('2024-01-01').as_unit('s')", "it.unit == 's'", needs=P),
    Row("Timedelta", "pd.Timedelta('1D 2ns')", needs=P),
    Row("NaT", "pd.NaT", "it is pd.NaT", needs=P),
    Row("NA", "pd.NA", "it is pd.NA", needs=P),
    Row("Period", "pd.Period('2024Q1', freq='Q-MAR')", needs=P),
    Row("Interval", "pd.Interval(0, 1.5, closed='neither')", needs=P),
    Row("Categorical", "pd.Categorical(['a', None], categories=['b', 'a'], ordered=True)", needs=P),
    Row(
        "CategoricalDtype",
        "pd.CategoricalDtype(['b', 'a'], ordered=True)",
        "it == twin and it.ordered",
        needs=P,
        loose=True,
    ),
    Row("an array of pandas", "pd.array([1, None], 'Int16')", needs=P),
    Row("an array of times", "pd.array(pd.date_range('2024', periods=2, freq='D', tz='UTC'))", needs=P),
    Row(
        "types of pandas",
        "[pd.Int64Dtype(), pd.DatetimeTZDtype('us', 'UTC'), pd.PeriodDtype('M'), pd.StringDtype(), pd.SparseDtype('f8', 0)]",
        "it == twin",
        needs=P,
        loose=True,
    ),
    Row(
        "offsets",
        "[pd.offsets.BMonthEnd(2), pd.DateOffset(months=1, days=2), pd.offsets.Week(weekday=4)]",
        "it == twin",
        needs=P,
        loose=True,
    ),
    Row(
        "days of business with holidays",
        "pd.offsets.CustomBusinessDay(holidays=['2024-01-01'], weekmask='Mon Tue')",
        "pd.Timestamp('2023-12-31') + it == pd.Timestamp('2024-01-02')",
        needs=P,
        loose=True,
    ),
    Row(
        "a grouping",
        "pd.DataFrame({'a': [1, 1, 2], 'b': [3, 4, 5]}).groupby('a')",
        "it.sum().equals(twin.sum()) and len(it.get_group(1)) == 2",
        needs=P,
        loose=True,
    ),
    Row(
        "a grouping of a column",
        "pd.DataFrame({'a': [1, 1, 2], 'b': [3, 4, 5]}).groupby('a')['b']",
        "it.mean().equals(twin.mean())",
        needs=P,
        loose=True,
    ),
    Row("a rolling window", "pd.Series([1.0, 2, 3]).rolling(2)", "it.sum().equals(twin.sum())", needs=P, loose=True),
    Row("a Grouper", "pd.Grouper(key='t', freq='D')", "it.key == 't'", needs=P, loose=True),
    Row("a function of pandas", "pd.concat", "it is pd.concat", needs=P),
    Row("a method of a frame", "[pd.DataFrame({'a': [1]}).head]", "it[0](1).equals(twin[0](1))", needs=P, loose=True),
    Row(
        "an open store of text",
        "pd.read_csv(__import__('io').StringIO('a\\n1\\n2'), chunksize=1)",
        needs=P,
        refused="which cannot be saved",
    ),
    Row("a frame of generators", "pd.DataFrame({'g': [(i for i in 'a')]})", needs=P, refused="which cannot be saved"),
)

ROWS = (*FRAMES, *SERIES, *INDEXES, *OTHERS)
