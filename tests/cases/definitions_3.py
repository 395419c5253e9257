"""Definitions of one name side by side, and what a definition saw where it stands."""

from __future__ import annotations

from cases.case import REFUSED, RIGHT, Case

CASES = [
    Case(
        "an old class of the functions cell beside a new one",
        RIGHT,
        """
# %% functions
class Point:
    def name(self):
        return "first"
# %% step:one
first = Point()
# %% step:two prev:one
class Point:
    def name(self):
        return "second"
second = Point()
# %% step:report prev:two
print(first.name(), second.name())
""",
    ),
    Case(
        "a class body computes from a list that changes below",
        RIGHT,
        """
# %% step:a
xs = [1]
class C:
    n = len(xs)
xs.append(2)
# %% step:b prev:a
print(C.n)
""",
    ),
    Case(
        "a class body keeps a list that changes below",
        RIGHT,
        """
# %% step:a
xs = [1]
class C:
    n = xs
xs.append(2)
# %% step:b prev:a
print(C.n, xs)
""",
    ),
    Case(
        "a function in a list beside a new one of its name",
        RIGHT,
        """
# %% step:a
def f(): return 1
g = [f]
# %% step:b prev:a
def f(): return 2
# %% step:c prev:b
print(g[0](), f())
""",
    ),
    Case(
        "a second name for a function that is defined again",
        RIGHT,
        """
# %% step:a
def f(): return 1
g = f
# %% step:b prev:a
def f(): return 2
# %% step:c prev:b
print(g(), f())
""",
    ),
    Case(
        "a helper defined again is found by its caller",
        RIGHT,
        """
# %% step:a
def f(x): return x+1
def h(x): return f(x)*2
print(h(1))
# %% step:b prev:a
def f(x): return x+10
# %% step:c prev:b
print(h(1), f(2))
""",
    ),
    Case(
        "instances of two classes of one name in one list",
        RIGHT,
        """
# %% step:a
class P:
    v = 1
ps = [P()]
# %% step:b prev:a
class P:
    v = 2
ps.append(P())
# %% step:c prev:b
print([p.v for p in ps], isinstance(ps[0], P), isinstance(ps[1], P))
""",
    ),
    Case(
        "two functions of one name in one step",
        RIGHT,
        """
# %% step:a
def f(): return 1
fs = {"a": f}
def f(): return 2
fs["b"] = f
# %% step:b prev:a
print(fs["a"](), fs["b"]())
""",
    ),
    Case(
        "a class reads what its step changed above it",
        RIGHT,
        """
# %% step:load
xs = [1]
# %% step:a prev:load
xs.append(5)
class C:
    n = len(xs)
# %% step:b prev:a
print(C.n)
""",
    ),
    Case(
        "a class reads what its step changes below it",
        RIGHT,
        """
# %% step:load
xs = [1]
# %% step:a prev:load
class C:
    n = len(xs)
xs.append(5)
# %% step:b prev:a
print(C.n)
""",
    ),
    Case(
        "a default computed from a list that changes below",
        RIGHT,
        """
# %% step:a
xs = [1]
def f(n=len(xs)):
    return n
xs.append(5)
# %% step:b prev:a
print(f())
""",
    ),
    Case(
        "a lambda keeps its default",
        RIGHT,
        """
# %% step:a
k = 1
f = lambda x, k=k: x*k
k = 3
# %% step:b prev:a
print(f(2), k)
""",
    ),
    Case(
        "a function of the functions cells defined again below a step",
        RIGHT,
        """
# %% functions
def greet():
    return "hello"
# %% step:one
print(greet())
# %% functions
def greet():
    return "good bye"
# %% step:two prev:one
print(greet())
""",
    ),
    Case(
        "a default computed by a call with an effect",
        RIGHT,
        """
# %% step:prepare
calls = []
def number():
    calls.append("called")
    return len(calls)
def scaled(value, by=number()):
    return value * by
# %% step:report prev:prepare
print(scaled(3), calls)
""",
    ),
    Case(
        "a class attribute from a variable bound again",
        RIGHT,
        """
# %% step:prepare
rate = 1
class Scale:
    factor = rate
rate = 2
# %% step:report prev:prepare
print(Scale.factor, rate)
""",
    ),
    Case(
        "a subclass of the class that was defined first",
        RIGHT,
        """
# %% functions
class Base:
    def who(self): return "base1"
# %% step:one
class Kid(Base):
    def kid(self): return self.who() + "!"
k = Kid()
# %% step:two prev:one
class Base:
    def who(self): return "base2"
b = Base()
# %% step:three prev:two
print(k.kid(), b.who(), isinstance(k, Base), Kid().kid())
""",
    ),
    Case(
        "two classes of one name in one step",
        RIGHT,
        """
# %% step:a
class P:
    v = 1
p1 = P()
class P:
    v = 2
p2 = P()
# %% step:b prev:a
print(p1.v, p2.v, isinstance(p1, P), isinstance(p2, P))
""",
    ),
    Case(
        "a decorator defined again after its use",
        RIGHT,
        """
# %% step:a
def deco(f):
    def inner(*a): return f(*a) + 1
    return inner
@deco
def g(x): return x
def deco(f):
    def inner(*a): return f(*a) + 100
    return inner
# %% step:b prev:a
@deco
def h(x): return x
print(g(1), h(1))
""",
    ),
    Case(
        "functions cells that define a name again, in lists and methods",
        RIGHT,
        """
# %% functions
def greet(): return "hello"
# %% step:one
fs = [greet]
class A:
    def go(self): return greet()
a = A()
print(greet())
# %% functions
def greet(): return "bye"
# %% step:two prev:one
fs.append(greet)
print(fs[0](), fs[1](), greet(), a.go())
# %% step:three prev:two
print([f() for f in fs], a.go())
""",
    ),
    Case(
        "two dataclasses of one name",
        RIGHT,
        """
# %% step:a
from dataclasses import dataclass
@dataclass
class Conf:
    x: int = 1
c1 = Conf()
# %% step:b prev:a
from dataclasses import dataclass
@dataclass
class Conf:
    x: int = 1
    y: int = 2
c2 = Conf()
# %% step:c prev:b
print(c1, c2, c1 == c2, type(c1) is type(c2))
""",
    ),
    Case(
        "two functions of one name, one with a computed default",
        RIGHT,
        """
# %% step:a
def f(x, y=2): return x+y
g = [f]
# %% step:b prev:a
y0 = 5
def f(x, y=y0): return x*y
y0 = 7
# %% step:c prev:b
print(g[0](1), f(1), y0)
""",
    ),
    Case(
        "a decorator with an argument that is bound again",
        RIGHT,
        """
# %% step:a
import functools
scale = 2
def by(n):
    def deco(f):
        @functools.wraps(f)
        def inner(x): return f(x)*n
        return inner
    return deco
@by(scale)
def g(x): return x+1
scale = 10
# %% step:b prev:a
print(g(1), scale)
""",
    ),
    Case(
        "a class body reads a parameter that its step binds again",
        RIGHT,
        """
# %% pipeline-parameters
lr = 1
# %% step:a
class M:
    rate = lr
lr = lr + 1
# %% step:b prev:a
print(M.rate, lr)
# %% step:c prev:b
print(M.rate)
""",
    ),
    Case(
        "a class body keeps a part of a frame that changes below",
        REFUSED,
        """
# %% step:a
import pandas as pd
df = pd.DataFrame({"a":[1,2]})
class Schema:
    columns = list(df.columns)
    n = len(df)
df["b"] = 3
# %% step:b prev:a
print(Schema.columns, Schema.n, list(df.columns))
""",
    ),
    Case(
        "a class that inherits from the one it replaces",
        RIGHT,
        """
# %% step:a
class Node:
    kids = []
    def __init__(self): self.name = "n1"
n = Node()
# %% step:b prev:a
class Node(Node):
    def __init__(self):
        super().__init__()
        self.extra = 1
m = Node()
# %% step:c prev:b
print(n.name, m.name, m.extra, isinstance(m, type(n)), isinstance(n, Node))
""",
    ),
    Case(
        "two enums of one name",
        RIGHT,
        """
# %% step:a
from enum import Enum
class Color(Enum):
    RED = 1
c = Color.RED
# %% step:b prev:a
class Color(Enum):
    RED = 1
    BLUE = 2
d = Color.BLUE
# %% step:c prev:b
print(c, d, c is Color.RED, d is Color.BLUE)
""",
    ),
    Case(
        "what a decorator puts around a function reads a variable of between",
        RIGHT,
        """
# %% functions
def times(n):
    def deco(f):
        def inner(*x):
            return f(*x) * n + K
        return inner
    return deco
# %% step:a
K = 1
@times(2)
def g(x):
    return x
class A:
    @times(3)
    def m(self):
        return 1
# %% step:b
K = 10
print(K)
# %% step:c
print(g(1), A().m())
""",
        inputs={"c": {"K": "b"}},
    ),
    Case(
        "a decorated function reads what is bound below its decorator",
        RIGHT,
        """
# %% functions
def deco(f):
    def inner(*x):
        return f(*x) + K
    return inner
@deco
def g(x):
    return x
# %% step:a
K = 1
print(g(1))
# %% step:b prev:a
print(g(2))
""",
    ),
    Case(
        "a method that a class got from a function or a decorator reads a variable of between",
        RIGHT,
        """
# %% step:a
K = [1]
def helper(self):
    return len(K)
def add(c):
    def show(self):
        return K[-1]
    c.show = show
    return c
@add
class A:
    size = helper
# %% step:b
K.append(5)
# %% step:c
print(A().size(), A().show())
""",
    ),
    Case(
        "a decorator that reads nothing orders nobody",
        RIGHT,
        """
# %% functions
def deco(f):
    def inner(*x):
        return f(*x)
    return inner
# %% step:a
@deco
def g(x):
    return x
k = 1
# %% step:b
print(g(k))
# %% step:c
k2 = g(2)
print(k2)
""",
        parallel=(("b", "c"),),
    ),
    Case(
        "a class body calls what changes each time",
        REFUSED,
        """
# %% step:a
ids = []
def new():
    ids.append(len(ids))
    return len(ids)
class A:
    x = new()
# %% step:b prev:a
print(A.x)
""",
        mentions=("`A` calls `new()` where it is defined",),
    ),
    Case(
        "a class has a factory that changes something when it is called",
        RIGHT,
        """
# %% imports
from dataclasses import dataclass, field
# %% step:a
ids = []
def new():
    ids.append(len(ids))
    return len(ids)
def f(x=lambda: new()):
    return x
@dataclass
class A:
    x: int = field(default_factory=lambda: new())
# %% step:b prev:a
print(A().x, A().x, f() is f())
""",
    ),
    Case(
        "what definitions change when their statements run again is thrown away",
        RIGHT,
        """
# %% step:a
kinds, n, seen, notes = [], 0, {}, []
class Plugin:
    def __init_subclass__(cls):
        global n
        kinds.append(cls.__name__)
        n += 1
class Meta(type):
    def __init__(cls, *given):
        seen[cls.__name__] = len(seen)
        super().__init__(*given)
class First(Plugin, metaclass=Meta):
    pass
def noted(f):
    notes.append(f.__name__)
    def inner(*x):
        return f(*x)
    return inner
@noted
def g(x):
    return x
# %% step:b prev:a
print(kinds, n, seen, notes, First.__name__, g(1))
""",
    ),
    Case(
        "what a definition keeps a part of stays one object with the variable",
        RIGHT,
        """
# %% step:a
kept = []
def add(x, to=kept):
    to.append(x)
    return to
def deco(f):
    f.kept = kept
    kept.append(f.__name__)
    return f
add(1)
# %% step:b prev:a
print(add(2) is kept, kept)
""",
    ),
]
