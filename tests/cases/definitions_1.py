"""Functions and classes as definitions, carried as source."""

from __future__ import annotations

from cases.case import LOUD, REFUSED, RIGHT, WARNED, Case

CASES = [
    Case(
        "a function of one step called in another",
        RIGHT,
        """
# %% step:a
def double(x):
    return 2 * x
v = double(2)
print(v)
# %% step:b prev:a
print(double(v))
""",
        inputs={"b": {"v": "a"}},
    ),
    Case(
        "free global has the value of the time of the call",
        RIGHT,
        """
# %% step:a
k = 1
def f():
    return k
print(f())
# %% step:b prev:a
k = 2
# %% step:c prev:b
print(f())
""",
        inputs={"b": {}, "c": {"k": "b"}},
    ),
    Case(
        "a default keeps the value of the time of the def",
        RIGHT,
        """
# %% step:a
k = 1
def f(x=k):
    return x, k
# %% step:b prev:a
k = 2
print(f())
# %% step:c prev:b
print(f(), k)
""",
        why="5.2: the default is a's k (1), the body reads b's k (2): both versions are needed",
    ),
    Case(
        "a default whose variable is rebound in the same step",
        RIGHT,
        """
# %% step:a
k = 1
def f(x=k):
    return x
k = 5
print(f())
# %% step:b prev:a
print(f(), k)
""",
        also=(REFUSED,),
        inputs={"b": {"k": "a"}},
        why=("re-running the def with the handed-on k (5) would change the default; refusing is allowed, 5 is not"),
    ),
    Case(
        "a class body whose variable is rebound in the same step",
        RIGHT,
        """
# %% step:a
size = 3
class Net:
    layers = [0] * size
size = 7
print(len(Net.layers))
# %% step:b prev:a
print(len(Net.layers), size)
""",
        also=(REFUSED,),
        why="like the default",
    ),
    Case(
        "functions that call each other across steps",
        RIGHT,
        """
# %% step:a
def is_even(n):
    return True if n == 0 else is_odd(n - 1)
# %% step:b prev:a
def is_odd(n):
    return False if n == 0 else is_even(n - 1)
print(is_odd(3))
# %% step:c prev:b
print(is_even(10))
""",
        inputs={"b": {}, "c": {}},
    ),
    Case(
        "a recursive function",
        RIGHT,
        """
# %% step:a
def fact(n):
    return 1 if n < 2 else n * fact(n - 1)
# %% step:b prev:a
print(fact(6))
""",
        inputs={"b": {}},
    ),
    Case(
        "a redefinition is what later steps call, also indirectly",
        RIGHT,
        """
# %% step:a
def f():
    return "old"
def g():
    return f()
print(g())
# %% step:b prev:a
def f():
    return "new"
print(g())
# %% step:c prev:b
print(f(), g())
# %% step:d prev:a
print(f(), g())
""",
        also=(WARNED,),
        prints={"d": "old old"},
        why="d is a sibling of b: it has a's f",
    ),
    Case(
        "a redefinition that wraps the old one",
        RIGHT,
        """
# %% step:a
def f(x):
    return x + 1
# %% step:b prev:a
old = f
def f(x):
    return old(x) * 10
print(f(1))
# %% step:c prev:b
print(f(2))
""",
        also=(
            REFUSED,
            LOUD,
        ),
        why="`old` pickled by reference would be the new f: endless recursion; a reasoned refusal is fine",
    ),
    Case(
        "a decorated function from the notebook's decorator",
        RIGHT,
        """
# %% functions
import functools
def loud(f):
    @functools.wraps(f)
    def inner(*a, **k):
        return str(f(*a, **k)).upper()
    return inner
# %% step:a
@loud
def greet(name):
    return "hello " + name
print(greet("a"))
# %% step:b prev:a
print(greet("b"), greet.__name__)
""",
        inputs={"b": {}},
    ),
    Case(
        "a decorator with an argument that is a variable",
        RIGHT,
        """
# %% step:a
times = 3
def repeat(n):
    def deco(f):
        return lambda *a: [f(*a) for _ in range(n)]
    return deco
# %% step:b prev:a
@repeat(times)
def hi():
    return "hi"
print(hi())
# %% step:c prev:b
times = 100
print(hi())
""",
        why="c needs a's times to rebuild hi, before it binds its own",
    ),
    Case(
        "functions registered in a dict by a decorator",
        RIGHT,
        """
# %% step:a
REGISTRY = {}
def register(f):
    REGISTRY[f.__name__] = f
    return f
# %% step:b prev:a
@register
def one():
    return 1
@register
def two():
    return 2
print(sorted(REGISTRY))
# %% step:c prev:b
print({k: f() for k, f in sorted(REGISTRY.items())})
""",
        why="c names only REGISTRY; its values are functions of b",
    ),
    Case(
        "registering twice would be seen",
        RIGHT,
        """
# %% functions
ORDER = []
def register(f):
    ORDER.append(f.__name__)
    return f
# %% step:a
@register
def first():
    return "first"
print(ORDER)
# %% step:b prev:a
@register
def second():
    return first() + " second"
print(ORDER)
# %% step:c prev:b
print(ORDER, second())
""",
        why="rebuilding first and second in c must not append their names again: ['first', 'second']",
    ),
    Case(
        "a function passed as a value",
        RIGHT,
        """
# %% step:a
offset = 100
def shift(x):
    return x + offset
# %% step:b prev:a
out = list(map(shift, [1, 2])), sorted([3, 1], key=shift)
print(out)
# %% step:c prev:b
offset = 0
print(max([1, 9], key=shift), list(map(shift, [1])))
""",
        inputs={"b": {"offset": "a"}},
    ),
    Case(
        "functions stored in a dict and called through it",
        RIGHT,
        """
# %% step:a
bias = 1
def inc(x):
    return x + bias
ops = {"inc": inc, "neg": abs}
# %% step:b prev:a
bias = 10
print(ops["inc"](1))
# %% step:c prev:b
print(ops["inc"](1), ops["neg"](-3))
""",
        inputs={"c": {"ops": "a", "bias": "b"}},
        why="c never names inc; inc's global is b's bias at the time of the call",
    ),
    Case(
        "partial of a notebook function",
        RIGHT,
        """
# %% imports
from functools import partial
# %% step:a
unit = "m"
def fmt(prefix, x):
    return f"{prefix}{x}{unit}"
p = partial(fmt, "~")
print(p(1))
# %% step:b prev:a
unit = "km"
# %% step:c prev:b
print(p(2))
""",
        inputs={"c": {"p": "a", "unit": "b"}},
    ),
    Case(
        "an instance whose class lives in the notebook",
        RIGHT,
        """
# %% step:a
factor = 3
class Scaler:
    def __init__(self, v):
        self.v = v
    def run(self):
        return self.v * factor
s = Scaler(2)
print(s.run())
# %% step:b prev:a
print(s.run(), isinstance(s, Scaler), type(s).__name__)
""",
        inputs={"b": {"s": "a", "factor": "a"}},
    ),
    Case(
        "an instance whose class the consumer's text never names",
        RIGHT,
        """
# %% step:a
rate = 2
def helper(v):
    return v * rate
class Model:
    def __init__(self):
        self.w = 1
    def predict(self, x):
        return helper(x) + self.w
m = Model()
# %% step:b prev:a
rate = 5
# %% step:c prev:b
print(m.predict(10))
""",
        inputs={"c": {"m": "a", "rate": "b"}},
        why="methods find their globals, late bound",
    ),
    Case(
        "instances inside containers",
        RIGHT,
        """
# %% step:a
class P:
    def __init__(self, n):
        self.n = n
    def __repr__(self):
        return f"P({self.n})"
    def __lt__(self, other):
        return self.n < other.n
people = {"x": [P(2), P(1)]}
# %% step:b prev:a
print(sorted(people["x"]))
""",
        inputs={"b": {"people": "a"}},
    ),
    Case(
        "subclass of a class of another step with super",
        RIGHT,
        """
# %% step:a
class Base:
    def __init__(self, x):
        self.x = x
    def show(self):
        return f"Base {self.x}"
# %% step:b prev:a
class Child(Base):
    def show(self):
        return "Child of " + super().show()
c1 = Child(4)
print(c1.show())
# %% step:c prev:b
print(c1.show(), isinstance(c1, Base), Child.__mro__[1].__name__)
""",
        inputs={"c": {"c1": "b"}},
    ),
    Case(
        "a dataclass with a default factory and a post init",
        RIGHT,
        """
# %% imports
from dataclasses import dataclass, field
# %% step:a
@dataclass(order=True)
class Run:
    score: float
    tags: list = field(default_factory=list)
    def __post_init__(self):
        self.tags = list(self.tags) + ["new"]
runs = [Run(0.5), Run(0.9, ["x"])]
# %% step:b prev:a
best = max(runs)
print(best)
# %% step:c prev:b
print(best == Run(0.9, ["x"]), best in [best])
""",
        inputs={"b": {"runs": "a"}, "c": {"best": "b"}},
    ),
    Case(
        "enum members keep their identity",
        RIGHT,
        """
# %% imports
import enum
# %% step:a
class Kind(enum.Enum):
    A = 1
    B = 2
k = Kind.B
table = {Kind.A: "first", k: "second"}
# %% step:b prev:a
print(k is Kind.B, table[Kind.A], k)
""",
        inputs={"b": {"k": "a", "table": "a"}},
    ),
    Case(
        "named tuples of both spellings",
        RIGHT,
        """
# %% imports
from collections import namedtuple
from typing import NamedTuple
# %% step:a
Point = namedtuple("Point", "x y")
class Pair(NamedTuple):
    l: int
    r: int = 5
p, q = Point(1, 2), Pair(3)
print(p, q)
# %% step:b prev:a
print(p.x + q.r, isinstance(p, Point), isinstance(q, Pair), Point(9, 9))
""",
        why=(
            "`Point = namedtuple(...)` is an assignment whose value is a class of __main__: it must cross all the same"
        ),
    ),
    Case(
        "class with slots and a property",
        RIGHT,
        """
# %% step:a
class T:
    __slots__ = ("v",)
    def __init__(self, v):
        self.v = v
    @property
    def twice(self):
        return self.v * 2
    @classmethod
    def zero(cls):
        return cls(0)
    @staticmethod
    def unit():
        return T(1)
t = T(4)
# %% step:b prev:a
print(t.twice, T.zero().v, T.unit().v)
""",
        inputs={"b": {"t": "a"}},
    ),
    Case(
        "a nested class and its instance",
        RIGHT,
        """
# %% step:a
class Outer:
    class Inner:
        def __init__(self):
            self.v = 3
    def make(self):
        return self.Inner()
i = Outer().make()
# %% step:b prev:a
print(i.v, type(i).__qualname__, isinstance(i, Outer.Inner))
""",
        inputs={"b": {"i": "a"}},
    ),
    Case(
        "a lambda assigned to a name is a definition",
        RIGHT,
        """
# %% step:a
k = 2
f = lambda x: x * k
print(f(1))
# %% step:b prev:a
k = 3
print(f(1))
# %% step:c prev:b
print(f(1))
""",
        inputs={"c": {"k": "b"}},
    ),
    Case(
        "a generator function",
        RIGHT,
        """
# %% step:a
step_size = 2
def steps(n):
    for i in range(n):
        yield i * step_size
# %% step:b prev:a
print(list(steps(3)))
""",
        inputs={"b": {"step_size": "a"}},
    ),
]
