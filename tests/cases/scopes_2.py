"""Scopes: which names a piece of code reads and binds."""

from __future__ import annotations

from cases.case import LOUD, REFUSED, RIGHT, Case

CASES = [
    Case(
        "an evaluated annotation reads its names",
        RIGHT,
        """
# %% step:a
Number = float
# %% step:b prev:a
rate: Number = 0.5
print(rate)
# %% step:c prev:b
print(rate)
""",
        inputs={"b": {"Number": "a"}, "c": {"rate": "b"}},
    ),
    Case(
        "annotations of locals are never evaluated",
        RIGHT,
        """
# %% step:a
v = 2
# %% step:b prev:a
def f():
    local: NotDefinedAnywhere = v
    return local
print(f())
""",
        inputs={"b": {"v": "a"}},
    ),
    Case(
        "annotations of parameters are evaluated at the def",
        RIGHT,
        """
# %% step:a
Kind = int
v = 1
# %% step:b prev:a
def f(x: Kind) -> "Quoted":
    return x + v
print(f(2), f.__annotations__["x"].__name__)
""",
        inputs={"b": {"Kind": "a", "v": "a"}},
    ),
    Case(
        "f-strings, nested with format specs",
        RIGHT,
        """
# %% step:a
value, width, prec = 3.14159, 10, 3
name = "pi"
# %% step:b prev:a
print(f"{name!r:>{width}}|{value:{width}.{prec}f}|{value=:.2f}|{'{width}'}|{{name}}")
print(f"{f'{name}':{'>' + str(width)}}|")
""",
        inputs={"b": {"value": "a", "width": "a", "prec": "a", "name": "a"}},
    ),
    Case(
        "attributes, keyword names and strings only look like variables",
        RIGHT,
        """
# %% step:a
from types import SimpleNamespace
x = "global x"
size = "global size"
o = SimpleNamespace(x=1)
# %% step:b prev:a
def f(*, size=0, x=0):
    return size + x
r = f(size=o.x, x=2)
print(r, "x size", {"x": 1}["x"])
# %% step:c prev:b
print(x, size, r)
""",
        inputs={"b": {"o": "a"}, "c": {"x": "a", "size": "a", "r": "b"}},
    ),
    Case(
        "a conditional rebinding that does not happen",
        RIGHT,
        """
# %% step:a
model = "base"
better = False
# %% step:b prev:a
if better:
    model = "tuned"
print("checked")
# %% step:c prev:b
print(model)
""",
        inputs={"b": {"model": "a", "better": "a"}, "c": {"model": "b"}},
    ),
    Case(
        "a conditional rebinding that does happen",
        RIGHT,
        """
# %% step:a
model = "base"
better = True
# %% step:b prev:a
if better:
    model = "tuned"
print("checked")
# %% step:c prev:b
print(model)
""",
        inputs={"b": {"model": "a", "better": "a"}, "c": {"model": "b"}},
    ),
    Case(
        "both branches bind, so the old value is not needed",
        RIGHT,
        """
# %% step:a
model = "base"
flag = True
# %% step:b prev:a
if flag:
    model = "yes"
else:
    model = "no"
print(model)
# %% step:c prev:b
print(model)
""",
        inputs={"c": {"model": "b"}},
    ),
    Case(
        "a loop-carried binding",
        RIGHT,
        """
# %% step:a
best = 0
scores = [3, 9, 4]
# %% step:b prev:a
for s in scores:
    if s > best:
        best = s
print(best)
# %% step:c prev:b
print(best)
""",
        inputs={"b": {"best": "a", "scores": "a"}, "c": {"best": "b"}},
    ),
    Case(
        "a while loop that never runs, with else",
        RIGHT,
        """
# %% step:a
n = 0
x = "old"
# %% step:b prev:a
while n > 0:
    x = "loop"
    n -= 1
else:
    y = "else"
print(y)
# %% step:c prev:b
print(x, y, n)
""",
        inputs={"b": {"n": "a", "x": "a"}, "c": {"x": "b", "y": "b", "n": "b"}},
    ),
    Case(
        "break skips the binding after it",
        RIGHT,
        """
# %% step:a
last = "old"
# %% step:b prev:a
for i in [1, 2]:
    if i == 1:
        break
    last = i
print(i)
# %% step:c prev:b
print(last, i)
""",
        inputs={"b": {"last": "a"}, "c": {"last": "b", "i": "b"}},
        why="the loop over a non-empty literal may be known to bind i; last is conditional",
    ),
    Case(
        "an exception in a try body skips the binding after it",
        RIGHT,
        """
# %% step:a
x = "old"
# %% step:b prev:a
try:
    int("no number")
    x = "new"
except ValueError:
    print("failed")
# %% step:c prev:b
print(x)
""",
        inputs={"b": {"x": "a"}, "c": {"x": "b"}},
    ),
    Case(
        "suppress skips the binding after the error",
        RIGHT,
        """
# %% imports
import contextlib
# %% step:a
x = "old"
# %% step:b prev:a
with contextlib.suppress(ValueError):
    int("no number")
    x = "new"
print("went on")
# %% step:c prev:b
print(x)
""",
        inputs={"b": {"x": "a"}, "c": {"x": "b"}},
        why=("a with statement may swallow the exception, so its body may bind; the promise needs the old x in b"),
    ),
    Case(
        "try cache except NameError, first time",
        RIGHT,
        """
# %% step:a
data = [1, 2]
# %% step:b prev:a
try:
    cache
except NameError:
    cache = {}
cache["n"] = len(data)
print(cache)
# %% step:c prev:b
print(cache)
""",
        inputs={"b": {"data": "a"}, "c": {"cache": "b"}},
        why="issue 3 family 1 names it: no producer is not an error here",
    ),
    Case(
        "try cache except NameError, already there",
        RIGHT,
        """
# %% step:a
cache = {"old": 1}
# %% step:b prev:a
try:
    cache
except NameError:
    cache = {}
cache["n"] = 2
print(cache)
# %% step:c prev:b
print(cache)
""",
        inputs={"b": {"cache": "a"}, "c": {"cache": "b"}},
    ),
    Case(
        "decorators, defaults and base classes are read at the def",
        RIGHT,
        """
# %% step:a
def twice(f):
    return lambda *a: f(*a) * 2
class Base:
    tag = "base"
start = 10
# %% step:b prev:a
@twice
def add(x, y=start):
    return x + y
class Child(Base):
    pass
start = 1000
print(add(1), Child().tag, start)
# %% step:c prev:b
print(add(1), Child().tag, start)
""",
        why=("b hands on start=1000, but the default of add is 10: the source must be rebuilt with a's start (5.2)"),
    ),
    Case(
        "unused default name is needed all the same",
        RIGHT,
        """
# %% step:a
n = 3
# %% step:b prev:a
def f(x=n):
    return 1
print("defined")
# %% step:c prev:b
print(f())
""",
        inputs={"b": {"n": "a"}},
        why="re-running the def in c needs n (the default), though c never names it",
    ),
    Case(
        "a function that is never called may name nothing that exists",
        RIGHT,
        """
# %% functions
def broken():
    return not_there + 1
# %% step:a
x = 1
print(x)
# %% step:b prev:a
print(x + 1)
""",
        inputs={"b": {"x": "a"}},
        why="5.2: a free name of a function is read by the step that calls it",
    ),
    Case(
        "a read that nothing provides",
        REFUSED,
        """
# %% step:a
total_count = 1
# %% step:b prev:a
print(total_cuont)
""",
        mentions=("total_cuont", "total_count"),
        why="5.2: an error with a suggestion",
    ),
    Case(
        "a called function whose free name nothing provides",
        REFUSED,
        """
# %% functions
def area():
    return radius * 2
# %% step:a
print("start")
# %% step:b prev:a
print(area())
""",
        also=(LOUD,),
        mentions=("radius",),
    ),
    Case(
        "a builtin's name is a variable where an ancestor binds it",
        RIGHT,
        """
# %% step:a
sum = 41
max = [1]
# %% step:b prev:a
print(sum + 1, max)
""",
        inputs={"b": {"sum": "a", "max": "a"}},
    ),
    Case(
        "a builtin stays a builtin where no ancestor binds it",
        RIGHT,
        """
# %% step:a
xs = [3, 4]
# %% step:c prev:a
print(max(xs), list(xs))
# %% step:b prev:a
max = 5
list = [1]
print(max, list)
# %% step:d prev:b prev:c
print(max, list, len(xs))
""",
        inputs={"c": {"xs": "a"}, "d": {"max": "b", "list": "b", "xs": "a"}},
    ),
    Case(
        "a builtin shadowed only under a condition",
        RIGHT,
        """
# %% step:a
flag = False
if flag:
    round = 3
print(flag)
# %% step:b prev:a
print(round(2.6))
""",
        why="`round` may be absent after a: then the builtin shows through",
    ),
    Case(
        "del of a shadowing name brings the builtin back",
        RIGHT,
        """
# %% step:a
len = 3
# %% step:b prev:a
print(len)
del len
# %% step:c prev:b
print(len([1, 2]))
""",
        inputs={"b": {"len": "a"}},
    ),
    Case(
        "augmented assignment reads and binds",
        RIGHT,
        """
# %% step:a
n = 1
xs = [1]
# %% step:b prev:a
n += 1
xs += [2]
print(n, xs)
# %% step:c prev:b
print(n, xs)
""",
        inputs={"b": {"n": "a", "xs": "a"}, "c": {"n": "b", "xs": "b"}},
    ),
    Case(
        "generator expression evaluates its body late",
        RIGHT,
        """
# %% step:a
k = 2
xs = [1, 2]
# %% step:b prev:a
g = (k * x for x in xs)
k = 10
out = list(g)
print(out)
del g
# %% step:c prev:b
print(k, out)
""",
        inputs={"c": {"k": "b", "out": "b"}},
        why="k of the body is read late (10), so a's k is not strictly needed; both are right",
    ),
    Case(
        "names inside a nested function are read by the caller",
        RIGHT,
        """
# %% step:a
scale = 3
def outer(v):
    def inner():
        return v * scale
    return inner()
# %% step:b prev:a
scale = 5
print(outer(2))
# %% step:c prev:b
print(outer(3))
""",
        inputs={"c": {"scale": "b"}},
        why="late binding of the global in the inner function",
    ),
    Case(
        "import inside a function binds locally",
        RIGHT,
        """
# %% step:a
math = "not the module"
def area(r):
    import math
    return round(math.pi * r, 2)
# %% step:b prev:a
print(area(1), math)
""",
        inputs={"b": {"math": "a"}},
    ),
    Case(
        "dotted import binds its first name",
        RIGHT,
        """
# %% step:a
import os.path
import xml.dom.minidom as md
os_name = "x"
# %% step:b prev:a
print(os.path.join("a", "b"), md.parseString("<r/>").documentElement.tagName, os_name)
""",
        inputs={"b": {"os_name": "a"}},
    ),
    Case(
        "conditional import with fallback",
        RIGHT,
        """
# %% step:a
try:
    import no_such_module_here as js
except ImportError:
    import json as js
text = js.dumps([1])
print(text)
# %% step:b prev:a
print(js.loads(text))
""",
        why="an import inside try; js is a module in b",
    ),
    Case(
        "unicode identifiers are normalised",
        RIGHT,
        """
# %% step:a
ﬁne = 1
größe = 2
变量 = 3
# %% step:b prev:a
print(fine, größe, 变量)
""",
        inputs={"b": {"fine": "a", "größe": "a", "变量": "a"}},
        why="Python reads identifiers in NFKC: `ﬁne` (ligature) and `fine` are one name",
    ),
    Case(
        "underscore variables cross like all others",
        RIGHT,
        """
# %% step:a
_hidden = 1
__private = 2
_, kept = (8, 9)
# %% step:b prev:a
print(_hidden, __private, _, kept)
""",
        inputs={"b": {"_hidden": "a", "__private": "a", "_": "a", "kept": "a"}},
        why="leading underscores are ordinary variables in Python; only KFP's port names care",
    ),
    Case(
        "dunder main guard runs",
        RIGHT,
        """
# %% step:a
ran = False
if __name__ == "__main__":
    ran = True
print(ran)
# %% step:b prev:a
print(ran, __name__)
""",
        inputs={"b": {"ran": "a"}},
        why="6: executed in a real __main__",
    ),
    Case(
        "the same name as function argument and as global",
        RIGHT,
        """
# %% step:a
df = {"v": 1}
def work(df):
    df = {"v": df["v"] + 1}
    return df
# %% step:b prev:a
out = work({"v": 5})
print(out)
# %% step:c prev:b
print(df, out)
""",
        inputs={"b": {}, "c": {"df": "a", "out": "b"}},
    ),
    Case(
        "type comments, ellipsis and star calls",
        RIGHT,
        """
# %% step:a
args, kw = (1, 2), {"sep": "-"}
# %% step:b prev:a
x = ...  # type: int
print(*args, **kw)
print({**kw, "k": [*args]}, x is Ellipsis)
""",
        inputs={"b": {"args": "a", "kw": "a"}},
    ),
    Case(
        "a class nested in a function reads the module's global",
        RIGHT,
        """
# %% step:a
base = 2
def build():
    base = 50
    class Inner:
        value = base
    return Inner.value
# %% step:b prev:a
print(build(), base)
""",
        inputs={"b": {"base": "a"}},
    ),
    Case(
        "global used before its binding in the same step",
        RIGHT,
        """
# %% step:a
x = 1
# %% step:b prev:a
print(x)
x = 2
print(x)
# %% step:c prev:b
print(x)
# %% step:d prev:a
x = 7
print(x)
""",
        inputs={"b": {"x": "a"}, "c": {"x": "b"}, "d": {}},
    ),
    Case(
        "future annotations of the imports cell hold in later cells",
        RIGHT,
        """
# %% imports
from __future__ import annotations
# %% step:a
def f(x: NotDefined) -> AlsoNot:
    return x + 1
y: Missing = f(1)
print(y)
# %% step:b prev:a
print(f(y))
""",
        also=(REFUSED,),
        why="IPython keeps future flags for later cells, so this notebook runs; refusing needs a reason",
    ),
    Case(
        "a name bound only in an assert's walrus or a subscript",
        RIGHT,
        """
# %% step:a
d = {"k": 3}
# %% step:b prev:a
assert (v := d["k"]) == 3
d[(key := "new")] = v
print(v, key)
# %% step:c prev:b
print(v, key, d)
""",
        inputs={"c": {"v": "b", "key": "b", "d": "b"}},
    ),
]
