"""Classes and functions of the notebook, and objects of them."""

from valuetable import Row

IMPORTS = """import abc
import collections
import copyreg
import dataclasses
import enum
import functools
import threading
import typing
import unittest.mock"""

PLAIN = '''
class Plain:
    """A class as in any notebook."""

    shared = []

    def __init__(self, x=1):
        self.x = x

    def double(self):
        return self.x * 2

    @classmethod
    def make(cls):
        return cls(5)


class Child(Plain):
    def __init__(self):
        super().__init__([1])
        self.me = self
'''

SLOTS = """
class Slots:
    __slots__ = ("a", "__b", "unset")

    def __init__(self):
        self.a, self.__b = [1], 2

    def both(self):
        return self.a, self.__b


class SlotsAndMore(Slots):
    def __init__(self):
        super().__init__()
        self.more = {"k": self.a}
"""

PICKLED = """
class Reduced:
    def __init__(self, *parts):
        self.parts = parts

    def __reduce__(self):
        return Reduced, self.parts, {"extra": [1]}

    def __setstate__(self, state):
        self.extra = state["extra"]


class WithState:
    def __init__(self):
        self.kept, self.lock = [1], threading.Lock()

    def __getstate__(self):
        return {"kept": self.kept}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.lock = threading.Lock()


class NewArgs:
    def __new__(cls, *, size):
        self = super().__new__(cls)
        self.size = size
        return self

    def __getnewargs_ex__(self):
        return (), {"size": self.size}


class Registered:
    def __init__(self, n):
        self.n = n


copyreg.pickle(Registered, lambda value: (Registered, (value.n,)))


class Missing:
    def __reduce__(self):
        return "MISSING"


MISSING = Missing()
"""

BUILTINS = """
class MyList(list):
    pass


class MyDict(dict):
    def __missing__(self, key):
        return key


class MySet(set):
    pass


class MyInt(int):
    unit = "m"


class MyStr(str):
    __slots__ = ()


class MyTuple(tuple):
    pass


class MyError(Exception):
    def __init__(self, text, code):
        super().__init__(text)
        self.code = code


class GoodError(Exception):
    def __init__(self, code=0):
        super().__init__(code)
        self.code = code
"""

TYPED = """
class Pair(typing.NamedTuple):
    a: int
    b: list = []


Point = collections.namedtuple("Point", "x y", defaults=[0])


class Colour(enum.Enum):
    RED = [1]
    BLUE = [2]
    CRIMSON = RED


class Mode(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()


class Level(enum.IntEnum):
    LOW = 1


@dataclasses.dataclass
class Config:
    lr: float = 0.1
    layers: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Frozen:
    a: int
    b: tuple = ()


@dataclasses.dataclass(order=True)
class Ordered:
    a: int
    b: dict = dataclasses.field(default_factory=dict, compare=False)


T = typing.TypeVar("T")


class Box(typing.Generic[T]):
    def __init__(self, item):
        self.item = item


class Options(typing.TypedDict, total=False):
    a: int


class Base(abc.ABC):
    @abc.abstractmethod
    def run(self): ...


class Real(Base):
    def run(self):
        return 1


class Meta(type):
    def __call__(cls, *args):
        found = super().__call__(*args)
        found.by_meta = True
        return found


class WithMeta(metaclass=Meta):
    pass


class Outer:
    class Inner:
        def __init__(self):
            self.x = [1]


class Wrapper:
    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)


class Hashed:
    def __init__(self, key):
        self.key = key

    def __hash__(self):
        return hash(self.key)

    def __eq__(self, other):
        return type(other) is Hashed and self.key == other.key


class Lazy:
    def __init__(self, n):
        self.n = n

    @functools.cached_property
    def squared(self):
        return [self.n**2]


class Descriptor:
    def __set_name__(self, owner, name):
        self.name = "_" + name

    def __get__(self, value, owner=None):
        return self if value is None else getattr(value, self.name)

    def __set__(self, value, item):
        setattr(value, self.name, item)


class Described:
    x = Descriptor()

    def __init__(self):
        self.x = [1]


class Shaped:
    @property
    def shape(self):
        raise RuntimeError("no shape yet")
"""

FUNCTIONS = """
def scale(x, by=[2]):
    return x * by[0]


@functools.lru_cache(maxsize=None)
def cached(n):
    return n + 1


def outer(n):
    def inner(x):
        return x + n

    return inner


class Calls:
    def __call__(self, x):
        return x + 1
"""

IN_STEP = """
class Near:
    def __init__(self, x):
        self.x = x

Spot = collections.namedtuple("Spot", "x y")

@dataclasses.dataclass(frozen=True, eq=True)
class Setting:
    name: str
    values: tuple = ()

Shade = enum.Enum("Shade", "LIGHT DARK")
Record = dataclasses.make_dataclass("Record", [("a", int), ("b", list)])
"""

MADE = 'Made = type("Made", (), {"kind": "made"})'

SLOTTED = """
@dataclasses.dataclass(frozen=True, slots=True)
class Slim:
    a: int
    b: list
"""

ROWS = (
    Row("an instance", "Plain([1, 2])", "it.double() == [1, 2, 1, 2] and isinstance(it, Plain)", define=PLAIN),
    Row(
        "an instance of a subclass that holds itself", "Child()", "it.me is it and isinstance(it, Plain)", define=PLAIN
    ),
    Row("instances in containers", "{'a': [Plain(1), (Plain(2),)], 'b': {3: Plain(3)}}", define=PLAIN),
    Row("one instance twice", "V = [Plain()]\nV.append(V[0])", "it[0] is it[1]", define=PLAIN),
    Row("a class of the notebook in a list", "[Plain, Child]", "it[0] is Plain and it[1] is Child", define=PLAIN),
    Row("an instance whose class is in it", "V = Plain()\nV.kind = Plain", "it.kind is Plain", define=PLAIN),
    Row("an instance with another's method", "V = Plain()\nV.run = Plain(4).double", "it.run() == 8", define=PLAIN),
    Row("a bound method", "V = Plain(3).double", "it() == 6 and it.__self__.x == 3", define=PLAIN),
    Row("a method of a class", "[Plain.make]", "it[0]().x == 5", define=PLAIN),
    Row("a function of a class", "[Plain.double]", "it[0] is Plain.double", define=PLAIN),
    Row("slots", "Slots()", "it.both() == ([1], 2) and not hasattr(it, 'unset')", define=SLOTS),
    Row("slots and attributes", "SlotsAndMore()", "it.more['k'] is it.a", define=SLOTS),
    Row(
        "__reduce__ with state",
        "Reduced([1], 2)",
        "it.parts == ([1], 2) and it.extra == [1]",
        define=PICKLED,
        loose=True,
    ),
    Row("__getstate__ without a lock", "WithState()", "it.kept == [1] and it.lock.acquire()", define=PICKLED),
    Row("__getnewargs_ex__", "NewArgs(size=3)", "it.size == 3", define=PICKLED),
    Row("a reducer registered in the notebook", "Registered(4)", "it.n == 4", define=PICKLED),
    Row("a sentinel", "[MISSING, {'a': MISSING}]", "it[0] is MISSING and it[1]['a'] is MISSING", define=PICKLED),
    Row("a subclass of list", "V = MyList([1])\nV.unit = ['m']", "it.unit == ['m']", define=BUILTINS),
    Row(
        "a subclass of dict",
        "V = MyDict(a=1)\nV.unit = ['m']",
        "it['zz'] == 'zz' and it.unit == ['m']",
        define=BUILTINS,
    ),
    Row("a subclass of set", "V = MySet('ab')\nV.unit = 1", "it.unit == 1", define=BUILTINS),
    Row("a subclass of int", "MyInt(5)", "it.unit == 'm'", define=BUILTINS),
    Row("a subclass of str", "MyStr('a')", define=BUILTINS),
    Row("a subclass of tuple", "V = MyTuple([1])\nV.unit = 2", "it.unit == 2", define=BUILTINS),
    Row("an exception of the notebook", "GoodError(3)", "it.code == 3", define=BUILTINS),
    Row("NamedTuple", "Pair(1)", "it.b == [] and it._fields == ('a', 'b')", define=TYPED),
    Row("namedtuple", "[Point(1), Point(2, [3])]", "it[1].y == [3]", define=TYPED),
    Row("Enum", "[Colour.RED, Colour.CRIMSON]", "it[0] is Colour.RED and it[1] is Colour.RED", define=TYPED),
    Row("an Enum as key", "{Colour.RED: 1, Colour.BLUE: [2]}", "it[Colour.BLUE] == [2]", define=TYPED),
    Row("Flag", "Mode.READ | Mode.WRITE", "it == Mode.READ | Mode.WRITE", define=TYPED, loose=True),
    Row("IntEnum", "Level.LOW", "it is Level.LOW", define=TYPED),
    Row("a dataclass", "Config(0.2, [1, 2])", "it == twin", define=TYPED),
    Row("a frozen dataclass", "Frozen(1, (2,))", "hash(it) == hash(twin)", define=TYPED),
    Row("a frozen dataclass as key", "{Frozen(1): [1]}", "it[Frozen(1)] == [1]", define=TYPED),
    Row("a dataclass with order", "Ordered(1, {'a': 2})", "it.b == {'a': 2}", define=TYPED),
    Row("a dataclass with slots", "Slim(1, [2])", "it == twin", define=SLOTTED),
    Row(
        "an object of a generic class",
        "Box[int]([1])",
        "it.item == [1] and it.__orig_class__ == Box[int]",
        define=TYPED,
        loose=True,
    ),
    Row("a TypedDict", "Options(a=1)", define=TYPED),
    Row("an object of an abstract class", "Real()", "it.run() == 1 and isinstance(it, Base)", define=TYPED, loose=True),
    Row("an object made by a metaclass", "WithMeta()", "it.by_meta", define=TYPED),
    Row("an object of an inner class", "Outer.Inner()", "type(it) is Outer.Inner", define=TYPED),
    Row(
        "objects with a hash of their own",
        "{Hashed('a'): 1, Hashed('b'): [2]}",
        "it[Hashed('b')] == [2]",
        define=TYPED,
        loose=True,
    ),
    Row("a cached property that was read", "V = Lazy(3)\nV.squared", "it.squared == [9]", define=TYPED),
    Row("a descriptor", "Described()", "it.x == [1]", define=TYPED),
    Row("a shape that raises", "Shaped()", "type(it) is Shaped", define=TYPED, loose=True),
    Row("a function in a list", "[scale]", "it[0] is scale", define=FUNCTIONS),
    Row(
        "a partial of the notebook's function",
        "functools.partial(scale, by=[3])",
        "it(2) == 6 and it.func is scale",
        define=FUNCTIONS,
    ),
    Row("a function with a cache", "{'f': cached}", "it['f'] is cached", define=FUNCTIONS),
    Row("a function made by a function", "[outer([1])]", "it[0]([2]) == [2, 1]", define=FUNCTIONS),
    Row("an object that is called", "Calls()", "it(1) == 2", define=FUNCTIONS, loose=True),
    Row("map over the notebook's function", "map(scale, [1, 2])", "list(it) == [2, 4]", define=FUNCTIONS, loose=True),
    Row("an object of a class in a step", "Near([1])", "isinstance(it, Near)", define=IN_STEP, in_step=True),
    Row("a namedtuple made in a step", "Spot(1, [2])", "type(it) is Spot", define=IN_STEP, in_step=True),
    Row(
        "a dataclass made in a step",
        "{Setting('a'): Setting('b', (1,))}",
        "it[Setting('a')].values == (1,)",
        define=IN_STEP,
        in_step=True,
    ),
    Row("an Enum made by a call", "[Shade.DARK]", "it[0] is Shade.DARK", define=IN_STEP, in_step=True),
    Row(
        "a dataclass made by a call",
        "Record(1, [2])",
        "type(it) is Record and it.b == [2]",
        define=IN_STEP,
        in_step=True,
    ),
    Row("a mock", "unittest.mock.Mock(a=[1])", "it.a == [1] and it.b() is it.b()", loose=True),
    Row(
        "an object of a class made by a call",
        "Made()",
        "type(it) is Made and it.kind == 'made'",
        define=MADE,
        in_step=True,
        loose=True,
    ),
    # -- refused, or found out when it is loaded
    Row(
        "a lock in an instance",
        "Plain({'l': threading.Lock()})",
        define=PLAIN,
        refused="v0.x['l'] is a _thread.lock, which cannot be saved",
    ),
    Row(
        "a generator in slots",
        "V = Slots()\nV.a = (i for i in 'a')",
        define=SLOTS,
        refused="v0.a is a generator, which cannot be saved",
    ),
    Row(
        "a generator in a dataclass",
        "Config(layers=[(i for i in 'a')])",
        define=TYPED,
        refused="v0.layers[0] is a generator",
    ),
    Row(
        "an exception whose __init__ wants more than its args",
        "MyError('a', 5)",
        "type(it) is MyError and it.args == ('a',) and it.code == 5",
        define=BUILTINS,
        loose=True,
    ),
    Row("attributes by delegation", "Wrapper([1])", define=TYPED, unloadable="cannot load 'v0' (__main__.Wrapper"),
)
