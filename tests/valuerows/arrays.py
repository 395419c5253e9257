"""numpy's values."""

from valuetable import Row

IMPORTS = """import numpy as np
import os
import tempfile"""

TAGGED = """
class Tagged(np.ndarray):
    def __new__(cls, data, unit):
        self = np.asarray(data).view(cls)
        self.unit = unit
        return self

    def __array_finalize__(self, other):
        self.unit = getattr(other, "unit", None)


class Bare(np.ndarray):
    pass


def half(x):
    return x / 2
"""

N = "numpy"
KINDS = (
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 longdouble complex64 complex128"
    " clongdouble M8[ns] M8[D] M8[Y] m8[us] m8[s] S3 U3 V4 >i4 >f8 >c16 >U2 >M8[s]"
).split()
SCALARS = {
    "bool": "np.bool_(True)",
    "int8": "np.int8(-3)",
    "uint64": "np.uint64(2**64 - 1)",
    "float16": "np.float16(0.1)",
    "float32": "np.float32(-0.0)",
    "float64": "np.float64('nan')",
    "longdouble": "np.longdouble('0.1')",
    "complex64": "np.complex64(1 - 0j)",
    "datetime64": "np.datetime64('2024-02-29T01', 'h')",
    "timedelta64": "np.timedelta64(5, 'W')",
    "no datetime64": "np.datetime64('NaT', 'ms')",
    "str": "np.str_('größe')",
    "bytes": "np.bytes_(b'ab')",
    "void": "np.void(b'abcd')",
    "a record": "np.array([(1, 'a')], dtype=[('n', 'i4'), ('s', 'U3')])[0]",
}

ROWS = (
    *(
        Row(f"an array of {kind}", f"np.arange(6).astype('i8').astype('{kind}').reshape(2, 3)", needs=N)
        for kind in KINDS
    ),
    *(Row(f"a scalar: {name}", source, "isinstance(it, np.generic)", needs=N) for name, source in SCALARS.items()),
    Row("an empty array", "np.zeros((0, 3), 'f4')", needs=N),
    Row("an empty array of dates, bytes swapped", "np.zeros(0, '>M8[Y]')", "it.dtype.str == '>M8[Y]'", needs=N),
    Row("an empty array of a large shape", "np.zeros((0, 2**40))", needs=N),
    Row("no dimensions", "np.array(5, 'i2')", "it.shape == ()", needs=N),
    Row(
        "no dimensions, an object",
        "np.array([1, 2], dtype=object).sum() and np.array({'a': 1}, dtype=object)",
        "it.shape == () and it.item() == {'a': 1}",
        needs=N,
    ),
    Row("six dimensions", "np.arange(64.0).reshape((2,) * 6)", needs=N),
    Row("Fortran's order", "np.asfortranarray(np.arange(6.0).reshape(2, 3))", "it.flags.f_contiguous", needs=N),
    Row("a large array", "np.arange(300_000.0)", needs=N),
    Row(
        "a large array of Fortran's order",
        "np.asfortranarray(np.arange(300_000.0).reshape(500, 600))",
        "it.flags.f_contiguous",
        needs=N,
    ),
    Row("a large array transposed thrice", "np.arange(300_000.0).reshape(50, 60, 100).transpose(1, 2, 0)", needs=N),
    Row("a large big-endian array", "np.arange(300_000).astype('>f8')", needs=N),
    Row("a large array of truth", "np.arange(3_000_000) % 3 == 0", needs=N),
    Row("a large array of times", "np.datetime64('2024-01-01', 'm') + np.arange(300_000)", needs=N),
    Row("a large array of text", "np.arange(100_000).astype('U8')", needs=N),
    Row("a large structured array", "np.zeros(100_000, [('a', 'f8'), ('b', 'i4', (2,)), ('c', 'S3')])", needs=N),
    Row("a view with steps", "np.arange(10)[::3]", needs=N),
    Row("a view backwards", "np.arange(10.0)[::-1]", needs=N),
    Row("a large view with steps", "np.arange(600_000.0)[::2]", needs=N),
    Row("a column of a large array", "np.arange(600_000.0).reshape(-1, 2)[:, 1]", needs=N),
    Row("a view that repeats itself", "np.broadcast_to(np.arange(3.0), (4, 3))", "not it.flags.writeable", needs=N),
    Row("a small array that may not be written", "V = np.arange(3)\nV.flags.writeable = False", needs=N),
    Row("a large array that may not be written", "V = np.arange(300_000.0)\nV.setflags(write=False)", needs=N),
    Row("zeros below zero and none", "np.array([-0.0, np.nan, np.inf, 5e-324])", needs=N),
    Row("objects", "np.array([1, 'a', None, [2], {'b': 3}], dtype=object)", "it[3] == [2]", needs=N),
    Row("objects in Fortran's order", "np.array([[1, 'a', None], [[2], 2.5, b'']], dtype=object, order='F')", needs=N),
    Row(
        "arrays in an array",
        "V = np.empty(2, object)\nV[0] = np.arange(3)\nV[1] = np.zeros((2, 2))",
        "it[1].shape == (2, 2)",
        needs=N,
    ),
    Row(
        "one list twice in an array",
        "V = np.empty(2, object)\nV[:] = [[1]] * 2\nV[1] = V[0]",
        "it[0] is it[1]",
        needs=N,
    ),
    Row("an array that holds itself", "V = np.empty(1, object)\nV[0] = V", "it[0] is it", needs=N),
    Row("records", "np.array([(1, 'a'), (2, 'b')], dtype=[('n', '>i4'), ('s', 'U3')])", needs=N),
    Row("records within records", "np.zeros(2, [('p', [('x', 'f8'), ('y', 'f8', (2, 2))]), ('t', 'M8[s]')])", needs=N),
    Row(
        "aligned records",
        "np.zeros(2, np.dtype([('a', 'i1'), ('b', 'f8')], align=True))",
        "it.dtype.isalignedstruct",
        needs=N,
    ),
    Row("records with titles", "np.zeros(2, [(('The title', 'a'), 'i4')])", needs=N),
    Row("records with gaps", "np.zeros(3, [('a', 'i4'), ('b', 'f8'), ('c', 'i2')])[['a', 'c']]", needs=N),
    Row("records with objects", "np.array([(1, [2])], dtype=[('a', 'i4'), ('o', 'O')])", needs=N),
    Row("a recarray", "np.rec.array([(1, 2.5)], names='a,b')", "it.a[0] == 1", needs=N),
    Row("masked", "np.ma.masked_array([1.5, 2.5], [True, False], fill_value=9)", "it.fill_value == 9", needs=N),
    Row("masked, nothing hidden", "np.ma.masked_array([1, 2])", needs=N),
    Row("masked with a hard mask", "np.ma.masked_array([1, 2], [True, False], hard_mask=True)", "it.hardmask", needs=N),
    Row("masked records", "np.ma.array([(1, 2)], mask=[(True, False)], dtype=[('a', int), ('b', int)])", needs=N),
    Row("large masked", "np.ma.masked_greater(np.arange(300_000.0), 5)", needs=N),
    Row("what is masked", "np.ma.masked", "it is np.ma.masked", needs=N),
    Row("a matrix", "np.matrix([[1, 2], [3, 4]])", "(it * it)[0, 0] == 7", needs=N),
    Row(
        "a memmap",
        "V = np.memmap(tempfile.TemporaryFile(), 'f8', 'w+', shape=(4,))\nV[:] = 5",
        "it.tolist() == [5] * 4 and it.flags.writeable",
        needs=N,
        loose=True,
    ),
    Row("a chararray", "np.char.array(['a', 'bc'])", "it.upper()[1] == 'BC'", needs=N),
    Row(
        "strings of any length",
        "np.array(['a', 'größe' * 9, ''], dtype=np.dtypes.StringDType())",
        "it.tolist() == twin.tolist()",
        needs=N,
    ),
    Row(
        "strings of any length or none",
        "np.array(['a', None], dtype=np.dtypes.StringDType(na_object=None))",
        "it[1] is None",
        needs=N,
    ),
    Row("an array class of the notebook", "np.arange(3).view(Bare)", define=TAGGED, needs=N),
    Row("an array class with an attribute", "Tagged([1.5], ['m'])", "it.unit == ['m']", define=TAGGED, needs=N),
    Row("a dtype", "np.dtype('>f4')", "it == np.dtype('>f4')", needs=N, loose=True),
    Row(
        "a dtype of records",
        "np.dtype([('a', 'f8', (2,)), ('b', 'M8[ns]')], align=True)",
        "it == twin and it.isalignedstruct",
        needs=N,
        loose=True,
    ),
    Row(
        "a dtype with metadata",
        "np.dtype('f8', metadata={'unit': 'm'})",
        "it.metadata == {'unit': 'm'}",
        needs=N,
        loose=True,
    ),
    Row("a type of scalars", "np.float32", "it is np.float32", needs=N),
    Row("a ufunc", "[np.add, np.add.reduce]", "it[0] is np.add and it[1]([1, 2]) == 3", needs=N, loose=True),
    Row("a function of numpy", "np.linalg.norm", "it is np.linalg.norm", needs=N),
    Row("vectorize", "np.vectorize(half)", "it([2, 4]).tolist() == [1, 2]", define=TAGGED, needs=N, loose=True),
    Row("poly1d", "np.poly1d([1, 2])", "it(3) == 5", needs=N, loose=True),
    Row("a polynomial", "np.polynomial.Polynomial([1, 2], domain=[0, 2])", "it == twin", needs=N, loose=True),
    Row("indexes", "np.ix_([0, 1], [2])", needs=N),
    Row(
        "a generator",
        "V = np.random.default_rng(5)\nV.random(3)",
        "it.random() == twin.random() and it.normal() == twin.normal()",
        needs=N,
        loose=True,
    ),
    Row(
        "a generator in the middle of 32 bits",
        "V = np.random.default_rng(5)\nV.integers(9, dtype='u4')",
        "it.integers(9, size=9, dtype='u4').tolist() == twin.integers(9, size=9, dtype='u4').tolist()",
        needs=N,
        loose=True,
    ),
    Row(
        "a generator that has children",
        "V = np.random.default_rng(5)\nV.spawn(2)",
        "it.spawn(1)[0].random() == twin.spawn(1)[0].random()",
        needs=N,
        loose=True,
    ),
    *(
        Row(
            f"a generator of {kind}",
            f"np.random.Generator(np.random.{kind}(7))",
            "it.random(3).tolist() == twin.random(3).tolist()",
            needs=N,
            loose=True,
        )
        for kind in ("MT19937", "Philox", "SFC64", "PCG64DXSM")
    ),
    Row("RandomState", "V = np.random.RandomState(5)\nV.normal()", "it.normal() == twin.normal()", needs=N, loose=True),
    Row(
        "SeedSequence",
        "np.random.SeedSequence(5, spawn_key=(1,))",
        "it.generate_state(2).tolist() == twin.generate_state(2).tolist()",
        needs=N,
        loose=True,
    ),
    Row("one generator twice", "V = [np.random.default_rng(5)]\nV.append(V[0])", "it[0] is it[1]", needs=N, loose=True),
    Row("one array in two places", "V = [np.arange(300_000.0)] * 2", "it[0] is it[1]", needs=N),
    Row("an array and a view of it", "V = [np.arange(10.0)]\nV.append(V[0][2:4])", "np.shares_memory(*it)", needs=N),
    Row(
        "a large array and a view of it",
        "V = {'all': np.arange(300_000.0)}\nV['part'] = V['all'][5:10]",
        "np.shares_memory(it['all'], it['part'])",
        needs=N,
    ),
    Row("arrays in a dict", "{'a': np.zeros(3), 'b': (np.float32(1), [np.arange(2)])}", needs=N),
    Row("a set of scalars", "{np.int64(1), np.float32(0.5)}", needs=N),
    Row(
        "an array of locks",
        "np.array([__import__('threading').Lock()], dtype=object)",
        needs=N,
        refused="which cannot be saved",
    ),
    Row(
        "an iterator over an array",
        "np.nditer(np.arange(3))",
        needs=N,
        refused="v0 is a numpy.nditer, which cannot be saved",
    ),
)
