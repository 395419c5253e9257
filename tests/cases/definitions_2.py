"""Functions and classes as definitions, carried as source."""

from __future__ import annotations

from cases.case import LOUD, REFUSED, RIGHT, WARNED, Case

CASES = [
    Case(
        "a context manager function",
        RIGHT,
        """
# %% functions
from contextlib import contextmanager
@contextmanager
def section(name):
    print("begin", name)
    yield name
    print("end", name)
# %% step:a
with section("one") as s:
    print(s)
# %% step:b prev:a
with section(s + " more"):
    pass
""",
        inputs={"b": {"s": "a"}},
    ),
    Case(
        "a function that uses a function of the functions cell that uses a step's variable",
        RIGHT,
        """
# %% functions
def total():
    return sum(values) * weight
# %% step:a
values = [1, 2]
weight = 2
print(total())
# %% step:b prev:a
values = [10]
print(total())
# %% step:c prev:b
print(total())
""",
        inputs={"b": {"weight": "a"}, "c": {"values": "b", "weight": "a"}},
    ),
    Case(
        "a closure made by a factory",
        RIGHT,
        """
# %% step:a
def make(n):
    def add(x):
        return x + n
    return add
add3 = make(3)
print(add3(1))
# %% step:b prev:a
print(add3(10))
""",
        also=(
            REFUSED,
            LOUD,
        ),
        why="values: by value where cloudpickle is, or refused with the reason",
    ),
    Case(
        "lambdas inside a data structure",
        RIGHT,
        """
# %% step:a
k = 4
table = {"sq": lambda x: x * x, "k": lambda x: x * k}
print(table["sq"](3))
# %% step:b prev:a
print(table["sq"](5), table["k"](1))
""",
        also=(
            REFUSED,
            LOUD,
        ),
    ),
    Case(
        "a lambda in a structure finds its global late",
        RIGHT,
        """
# %% step:a
k = 4
table = [lambda: k]
print(table[0]())
# %% step:b prev:a
k = 7
print(table[0]())
# %% step:c prev:b
print(table[0](), k)
""",
        also=(
            REFUSED,
            LOUD,
        ),
        why="cloudpickle by value carries k=4 as its own globals: answering 4 in b or c is silently wrong",
    ),
    Case(
        "an instance that holds a lambda",
        RIGHT,
        """
# %% step:a
class Stage:
    def __init__(self, fn):
        self.fn = fn
st = Stage(lambda x: x + 1)
print(st.fn(1))
# %% step:b prev:a
print(st.fn(2))
""",
        also=(
            REFUSED,
            LOUD,
        ),
    ),
    Case(
        "a local class and its instance",
        RIGHT,
        """
# %% step:a
def make():
    class Local:
        v = 5
    return Local()
o = make()
print(o.v)
# %% step:b prev:a
print(o.v)
""",
        also=(
            REFUSED,
            LOUD,
        ),
    ),
    Case(
        "a function defined under a condition",
        RIGHT,
        """
# %% step:a
fast = True
if fast:
    def run():
        return "fast"
else:
    def run():
        return "slow"
print(run())
# %% step:b prev:a
print(run())
""",
        why=("a def inside a top-level if is not at the top level of the step; it must cross as value or as source"),
    ),
    Case(
        "a function defined in try",
        RIGHT,
        """
# %% step:a
try:
    import not_installed_at_all
    def load():
        return "lib"
except ImportError:
    def load():
        return "fallback"
print(load())
# %% step:b prev:a
print(load())
""",
    ),
    Case(
        "functions defined in a loop",
        RIGHT,
        """
# %% step:a
fs = {}
for n in [1, 2]:
    def f(x, n=n):
        return x + n
    fs[n] = f
print(fs[1](0), fs[2](0))
# %% step:b prev:a
print(fs[1](10), fs[2](10))
""",
        also=(
            REFUSED,
            LOUD,
        ),
        why="two function objects under one name; pickled by reference both would be the last one",
    ),
    Case(
        "two classes of one name in turn",
        RIGHT,
        """
# %% step:a
class C:
    def who(self):
        return "first"
one = C()
# %% step:b prev:a
class C:
    def who(self):
        return "second"
two = C()
print(one.who(), two.who())
# %% step:c prev:b
print(one.who(), two.who(), isinstance(one, C))
""",
        also=(
            REFUSED,
            LOUD,
        ),
        why="by reference to __main__.C both become the second: silently wrong",
    ),
    Case(
        "a class alias and an instance",
        RIGHT,
        """
# %% step:a
class Long:
    v = 1
Short = Long
s = Short()
# %% step:b prev:a
print(isinstance(s, Short), isinstance(s, Long), Short is Long)
""",
    ),
    Case(
        "bound method as a value",
        RIGHT,
        """
# %% step:a
class Acc:
    def __init__(self):
        self.items = []
    def push(self, x):
        self.items.append(x)
        return len(self.items)
acc = Acc()
push = acc.push
push(1)
print(acc.items)
# %% step:b prev:a
print(push("two"))
# %% step:c prev:b
print(acc.items)
""",
        also=(
            WARNED,
            REFUSED,
            LOUD,
        ),
        mentions=("acc",),
        why="push is a second name for acc (rule 7)",
    ),
    Case(
        "metaclass, init_subclass and class decorator",
        RIGHT,
        """
# %% step:a
PLUGINS = []
class Plugin:
    def __init_subclass__(cls, **kw):
        super().__init_subclass__(**kw)
        PLUGINS.append(cls.__name__)
def named(cls):
    cls.label = cls.__name__.lower()
    return cls
# %% step:b prev:a
@named
class Csv(Plugin):
    pass
class Xml(Plugin):
    pass
print(PLUGINS, Csv.label)
# %% step:c prev:b
print(PLUGINS, Csv.label, issubclass(Xml, Plugin))
""",
        why="__init_subclass__ must not register twice",
    ),
    Case(
        "a class with attributes computed from data",
        RIGHT,
        """
# %% step:a
names = ["u", "v"]
class Schema:
    fields = {n: i for i, n in enumerate(names)}
    count = len(names)
print(Schema.fields)
# %% step:b prev:a
names = ["changed"]
print(Schema.fields, names)
# %% step:c prev:b
print(Schema.fields, Schema.count, names)
""",
        why="c rebuilds Schema with a's names although the last names are b's",
    ),
    Case(
        "a def that prints or counts when it is executed again",
        RIGHT,
        """
# %% step:a
def trace(label):
    print("defining", label)
    def deco(f):
        return f
    return deco
@trace("f")
def f():
    return 1
# %% step:b prev:a
print(f())
""",
        also=(WARNED,),
    ),
    Case(
        "a default computed by a call with a side effect",
        RIGHT,
        """
# %% step:a
calls = []
def note(x):
    calls.append(x)
    return len(calls)
def f(n=note("default")):
    return n
print(f(), calls)
# %% step:b prev:a
print(f(), calls)
""",
        also=(
            REFUSED,
            LOUD,
        ),
        why="running the def again in b would call note again: calls must have one entry, f() is 1",
    ),
    Case(
        "a default that is a mutable argument, unchanged",
        RIGHT,
        """
# %% step:a
def f(x, seen=()):
    return (x, *seen)
# %% step:b prev:a
print(f(1))
""",
        inputs={"b": {}},
    ),
    Case(
        "a typing alias, a TypeVar and a Protocol",
        RIGHT,
        """
# %% imports
from typing import Generic, Protocol, TypeVar
# %% step:a
T = TypeVar("T")
Vec = list[float]
class HasArea(Protocol):
    def area(self) -> float: ...
class Box(Generic[T]):
    def __init__(self, v: T) -> None:
        self.v = v
class Sq:
    def area(self) -> float:
        return 4.0
b1: "Box[Vec]" = Box([1.0])
# %% step:b prev:a
def total(shape: HasArea, v: Vec) -> float:
    return shape.area() + sum(v)
print(total(Sq(), b1.v))
""",
        why=(
            "Vec and T are plain assignments; TypeVar objects of __main__ pickle by reference: they need "
            "their definition"
        ),
    ),
    Case(
        "abstract base class and singledispatch",
        RIGHT,
        """
# %% imports
from abc import ABC, abstractmethod
from functools import singledispatch
# %% functions
class Shape(ABC):
    @abstractmethod
    def area(self): ...
@singledispatch
def describe(x):
    return "thing"
@describe.register
def _(x: int):
    return f"int {x}"
# %% step:a
class Sq(Shape):
    def area(self):
        return 9
@describe.register
def _(x: Shape):
    return f"shape {x.area()}"
s = Sq()
print(describe(s), describe(1), describe("t"))
# %% step:b prev:a
print(describe(s), describe(2))
""",
        also=(
            REFUSED,
            LOUD,
        ),
        why="a step registers into a generic function: state in a definition, or a definition to carry",
    ),
    Case(
        "a lru_cache function with no visible state",
        RIGHT,
        """
# %% functions
from functools import lru_cache
@lru_cache(maxsize=None)
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
# %% step:a
print(fib(10))
# %% step:b prev:a
print(fib(20))
""",
        also=(
            WARNED,
            REFUSED,
            LOUD,
        ),
        why="its results do not depend on the cache; the design lets state in definitions be refused",
    ),
    Case(
        "callable class instance and operator overloads",
        RIGHT,
        """
# %% step:a
class Poly:
    def __init__(self, *c):
        self.c = c
    def __call__(self, x):
        return sum(k * x**i for i, k in enumerate(self.c))
    def __add__(self, o):
        return Poly(*(a + b for a, b in zip(self.c, o.c)))
p = Poly(1, 2)
# %% step:b prev:a
q = p + p
print(q(2))
# %% step:c prev:b
print(q(3), p(1))
""",
        inputs={"b": {"p": "a"}, "c": {"q": "b", "p": "a"}},
    ),
    Case(
        "operator methods find their globals in a step that names nothing",
        RIGHT,
        """
# %% step:a
zero = 0
class Num:
    def __init__(self, v):
        self.v = v
    def __radd__(self, o):
        return o + self.v + zero
    def __len__(self):
        return self.v + zero
    def __iter__(self):
        return iter([self.v, zero])
n = Num(3)
# %% step:b prev:a
zero = 100
# %% step:c prev:b
print(sum([n]), len(n), list(n))
""",
        inputs={"c": {"n": "a", "zero": "b"}},
        why="dunder methods are called by operators and builtins: their globals are read too",
    ),
    Case(
        "pickling hooks of the class are used",
        RIGHT,
        """
# %% step:a
VERSION = 2
class Doc:
    def __init__(self, t):
        self.t = t
        self.cache = "x" * 3
    def __getstate__(self):
        return {"t": self.t, "version": VERSION}
    def __setstate__(self, s):
        self.__dict__.update(s)
        self.cache = "x" * 3
d = Doc("hello")
print(d.t)
# %% step:b prev:a
print(d.t, d.cache)
""",
        ignore=("d",),
        why="loading calls __setstate__ before the cells of b",
    ),
    Case(
        "definitions are needed to load the value, early",
        RIGHT,
        """
# %% step:a
PREFIX = "id-"
class Key:
    def __init__(self, n):
        self.n = n
    def __hash__(self):
        return hash(PREFIX + str(self.n))
    def __eq__(self, o):
        return self.n == o.n
d = {Key(1): "one", Key(2): "two"}
print(d[Key(1)])
# %% step:b prev:a
print(d[Key(2)])
""",
        why=("unpickling the dict calls __hash__, which needs PREFIX loaded first; b's text names PREFIX nowhere"),
    ),
    Case(
        "a function used only by the functions cell below it",
        RIGHT,
        """
# %% functions
def outer():
    return inner() + CONST
# %% functions
CONST = 5
def inner():
    return 1
# %% step:a
print(outer())
# %% step:b prev:a
print(outer() + 1)
""",
        inputs={"b": {}},
    ),
    Case(
        "two functions cells redefine one function between steps",
        REFUSED,
        """
# %% functions
def f():
    return "one"
# %% step:a
print(f())
# %% functions
def f():
    return "two"
# %% step:b prev:a
print(f())
""",
        also=(
            RIGHT,
            WARNED,
        ),
        mentions=("f",),
        why=(
            "every step runs all functions cells first: a would print 'two'; right (by position) or refused, "
            "never 'two' in silence"
        ),
    ),
]
