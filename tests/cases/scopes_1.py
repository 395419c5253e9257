"""Scopes: which names a piece of code reads and binds."""

from __future__ import annotations

from cases.case import LOUD, REFUSED, RIGHT, WARNED, Case

CASES = [
    Case(
        "a list comprehension does not leak its variable",
        RIGHT,
        """
# %% step:a
x = 10
# %% step:b prev:a
squares = [x * x for x in range(4)]
print(squares)
# %% step:c prev:b
print(x, squares)
""",
        inputs={"b": {}, "c": {"x": "a", "squares": "b"}},
    ),
    Case(
        "the first iterable of a comprehension is read outside its scope",
        RIGHT,
        """
# %% step:a
x = [3, 4]
# %% step:b prev:a
y = [x for x in x]
print(y)
# %% step:c prev:b
print(x, y)
""",
        inputs={"b": {"x": "a"}, "c": {"x": "a", "y": "b"}},
    ),
    Case(
        "nested comprehension whose inner iterable is the outer target",
        RIGHT,
        """
# %% step:a
rows = [[1, 2], [3]]
row = "kept"
# %% step:b prev:a
flat = [cell for row in rows for cell in row if cell > 1]
print(flat)
# %% step:c prev:b
print(row, flat)
""",
        inputs={"b": {"rows": "a"}, "c": {"row": "a", "flat": "b"}},
    ),
    Case(
        "walrus inside a comprehension binds the global",
        RIGHT,
        """
# %% step:a
last = None
data = [1, 5, 2]
# %% step:b prev:a
total = sum((last := v) for v in data)
print(total)
# %% step:c prev:b
print(last, total)
""",
        inputs={"c": {"last": "b", "total": "b"}},
        why="the iterable might be empty: `last` may then keep the old value, so an input of b is fine too",
    ),
    Case(
        "walrus in a comprehension over nothing leaves the old value",
        RIGHT,
        """
# %% step:a
last = "old"
data = []
# %% step:b prev:a
found = [last := v for v in data]
print(found)
# %% step:c prev:b
print(last, found)
""",
        inputs={"b": {"data": "a", "last": "a"}},
        why="5.4: may bind -> receives the old value",
    ),
    Case(
        "walrus in a condition",
        RIGHT,
        """
# %% step:a
xs = [1, 2, 3]
n = 0
# %% step:b prev:a
if (n := len(xs)) > 2:
    print("many", n)
# %% step:c prev:b
print(n)
""",
        inputs={"b": {"xs": "a"}, "c": {"n": "b"}},
    ),
    Case(
        "walrus on the right of a short-circuit may not bind",
        RIGHT,
        """
# %% step:a
flag = False
m = "from a"
# %% step:b prev:a
ok = flag and (m := "from b")
print(ok)
# %% step:c prev:b
print(m, ok)
""",
        inputs={"b": {"flag": "a", "m": "a"}},
        why="5.4: `and` makes the binding conditional",
    ),
    Case(
        "walrus in an if expression may not bind",
        RIGHT,
        """
# %% step:a
flag = False
m = [1]
# %% step:b prev:a
r = (m := [2]) if flag else 0
print(r)
# %% step:c prev:b
print(m)
""",
        inputs={"b": {"flag": "a", "m": "a"}},
    ),
    Case(
        "lambda parameter shadows a variable",
        RIGHT,
        """
# %% step:a
x = 7
k = 2
# %% step:b prev:a
print(sorted([3, 1, 2], key=lambda x: -x), list(map(lambda x, k=k: x * k, [1])))
# %% step:c prev:b
print(x + k)
""",
        inputs={"b": {"k": "a"}, "c": {"x": "a", "k": "a"}},
    ),
    Case(
        "a lambda's default reads where it stands, its body when called",
        RIGHT,
        """
# %% step:a
x = 1
# %% step:b prev:a
fixed = [lambda v=x: v, lambda: x]
x = 5
print([f() for f in fixed])
# %% step:c prev:b
print(x)
""",
        inputs={"b": {"x": "a"}, "c": {"x": "b"}},
    ),
    Case(
        "a class body does not bind globals",
        RIGHT,
        """
# %% step:a
x = 1
# %% step:b prev:a
class Box:
    x = 99
    def get(self):
        return x
print(Box().get(), Box.x)
# %% step:c prev:b
print(x)
""",
        inputs={"b": {"x": "a"}, "c": {"x": "a"}},
    ),
    Case(
        "a class body reads the global of the name that it binds",
        RIGHT,
        """
# %% step:a
x = 5
# %% step:b prev:a
class Box:
    x = x + 1
print(Box.x, x)
# %% step:c prev:b
print(Box.x)
""",
        inputs={"b": {"x": "a"}},
        why="5.2: class bodies are read where they stand; c gets Box's source and the x that it needs",
    ),
    Case(
        "a global statement in a class body binds the global",
        RIGHT,
        """
# %% step:a
z = 1
# %% step:b prev:a
class Setter:
    global z
    z = 5
print(z)
# %% step:c prev:b
print(z)
""",
        inputs={"c": {"z": "b"}},
    ),
    Case(
        "a comprehension in a class body sees globals, not class names",
        RIGHT,
        """
# %% step:a
n = 3
# %% step:b prev:a
class K:
    n = 100
    values = [n * i for i in range(n // 50)]
    outer = [n for _ in range(1)]
print(K.values, K.outer)
""",
        inputs={"b": {"n": "a"}},
        why=("in a comprehension's body `n` is the global: 3; its first iterable is evaluated in the class scope: 100"),
    ),
    Case(
        "private names in a class are mangled",
        RIGHT,
        """
# %% step:a
_K__secret = 41
# %% step:b prev:a
class K:
    def get(self):
        return __secret + 1
print(K().get())
""",
        inputs={"b": {"_K__secret": "a"}},
        why="symtable mangles `__secret` to the global `_K__secret`",
    ),
    Case(
        "global in a function binds when it is called",
        RIGHT,
        """
# %% step:a
state = "old"
def change():
    global state
    state = "new"
# %% step:b prev:a
print(state)
change()
# %% step:c prev:b
print(state)
""",
        inputs={"b": {"state": "a"}, "c": {"state": "b"}},
    ),
    Case(
        "global in a function that is only defined binds nothing",
        RIGHT,
        """
# %% step:a
state = "old"
def change():
    global state
    state = "new"
# %% step:b prev:a
f = [change]
print(len(f))
# %% step:c prev:a
print(state)
""",
        inputs={"c": {"state": "a"}},
    ),
    Case(
        "global deleted inside a function",
        RIGHT,
        """
# %% step:a
tmp = 1
keep = 2
def forget():
    global tmp
    del tmp
# %% step:b prev:a
forget()
print(keep)
# %% step:c prev:b
try:
    print(tmp)
except NameError:
    print("gone")
""",
        inputs={"b": {"tmp": "a", "keep": "a"}},
        why="`tmp` is absent after b: c must not receive a's value",
    ),
    Case(
        "nonlocal stays in its function",
        RIGHT,
        """
# %% step:a
count = 100
# %% step:b prev:a
def counter():
    count = 0
    def up():
        nonlocal count
        count += 1
        return count
    return [up(), up()]
print(counter())
# %% step:c prev:b
print(count)
""",
        inputs={"b": {}, "c": {"count": "a"}},
    ),
    Case(
        "except as deletes its name",
        RIGHT,
        """
# %% step:a
e = "kept"
# %% step:b prev:a
try:
    1 / 0
except ZeroDivisionError as e:
    print("caught", e)
# %% step:c prev:b
print("e" in globals())
""",
        also=(
            REFUSED,
            WARNED,
        ),
        mentions=("globals",),
        why="after b the name e is unbound; globals() may be refused or warned",
    ),
    Case(
        "a name deleted by except as cannot be read later",
        REFUSED,
        """
# %% step:a
e = "kept"
# %% step:b prev:a
try:
    1 / 0
except ZeroDivisionError as e:
    print("caught")
# %% step:c prev:b
print(e)
""",
        also=(LOUD,),
        why="top to bottom: NameError; the pipeline must not hand a's value to c",
    ),
    Case(
        "except as that does not fire keeps the old value",
        RIGHT,
        """
# %% step:a
err = "kept"
# %% step:b prev:a
try:
    print(int("3"))
except ValueError as err:
    print("never")
# %% step:c prev:b
print(err)
""",
        why="5.4: b may unbind err, so it receives it and hands on what it ends with",
    ),
    Case(
        "try, except, else and finally bind in turn",
        RIGHT,
        """
# %% step:a
s = "12"
stage = "none"
# %% step:b prev:a
try:
    n = int(s)
except ValueError:
    stage = "bad"
else:
    stage = "good"
finally:
    done = True
print(n, stage, done)
# %% step:c prev:b
print(n, stage, done)
""",
        inputs={"c": {"n": "b", "stage": "b", "done": "b"}},
    ),
    Case(
        "with as binds, in a tuple and in a subscript",
        RIGHT,
        """
# %% step:a
import contextlib
d = {"old": 1}
h = "old"
# %% step:b prev:a
with contextlib.nullcontext((1, 2)) as (g, h), contextlib.nullcontext(9) as d["new"]:
    print(g, h)
# %% step:c prev:b
print(g, h, d)
""",
        inputs={"b": {"d": "a"}, "c": {"g": "b", "h": "b", "d": "b"}},
    ),
    Case(
        "a for target leaks",
        RIGHT,
        """
# %% step:a
i = "start"
items = ["p", "q"]
# %% step:b prev:a
for i, item in enumerate(items):
    print(i, item)
# %% step:c prev:b
print(i, item)
""",
        inputs={"c": {"i": "b", "item": "b"}},
        why="the loop may run zero times: i may be an input of b",
    ),
    Case(
        "a for loop that runs zero times keeps the old target",
        RIGHT,
        """
# %% step:a
i = "start"
items = []
# %% step:b prev:a
for i in items:
    print("never")
print("b done")
# %% step:c prev:b
print(i)
""",
        inputs={"b": {"i": "a", "items": "a"}, "c": {"i": "b"}},
    ),
    Case(
        "a for loop that runs zero times leaves a new name unbound",
        RIGHT,
        """
# %% step:a
items = []
# %% step:b prev:a
for item in items:
    last = item
print("b done")
# %% step:c prev:b
try:
    print(last)
except NameError:
    print("no last")
""",
        why="absent values cross as absent",
    ),
    Case(
        "a subscript as for target changes the container",
        RIGHT,
        """
# %% step:a
box = {"k": None}
# %% step:b prev:a
for box["k"] in [1, 2, 3]:
    pass
print(box)
# %% step:c prev:b
print(box)
""",
        inputs={"b": {"box": "a"}, "c": {"box": "b"}},
    ),
    Case(
        "an attribute as with target changes the object",
        RIGHT,
        """
# %% step:a
import contextlib
from types import SimpleNamespace
ns = SimpleNamespace(v=0)
# %% step:b prev:a
with contextlib.nullcontext(5) as ns.v:
    print(ns.v)
# %% step:c prev:b
print(ns.v)
""",
        inputs={"b": {"ns": "a"}, "c": {"ns": "b"}},
    ),
    Case(
        "match captures bind, value patterns and guards read",
        RIGHT,
        """
# %% step:a
import enum
class Color(enum.Enum):
    RED = 1
    BLUE = 2
lim = 3
name = "old"
# %% step:b prev:a
match [Color.BLUE, 7]:
    case [Color.RED, name]:
        kind = "red"
    case [Color.BLUE, name] if name > lim:
        kind = "blue"
print(kind, name)
# %% step:c prev:b
print(kind, name)
""",
        inputs={"c": {"kind": "b", "name": "b"}},
    ),
    Case(
        "match mapping, star, class and as patterns",
        RIGHT,
        """
# %% step:a
from dataclasses import dataclass
@dataclass
class Point:
    x: int
    y: int
x = y = "globals"
docs = [{"k": 1, "z": 2}, [1, 2, 3], Point(4, 5), "text"]
# %% step:b prev:a
out = []
for doc in docs:
    match doc:
        case {"k": k, **rest}:
            out.append((k, rest))
        case [first, *others]:
            out.append((first, others))
        case Point(x=px, y=py):
            out.append((px, py))
        case str() as s:
            out.append(s)
print(out)
# %% step:c prev:b
print(k, rest, first, others, px, py, s, x, y)
""",
        inputs={
            "c": {
                "k": "b",
                "rest": "b",
                "first": "b",
                "others": "b",
                "px": "b",
                "py": "b",
                "s": "b",
                "x": "a",
                "y": "a",
            }
        },
        why="keyword attribute names of the class pattern (x=, y=) are no variables",
    ),
    Case(
        "match wildcard binds nothing and an unmatched match keeps the old value",
        RIGHT,
        """
# %% step:a
got = "old"
_ = "underscore"
v = 5
# %% step:b prev:a
match v:
    case 1:
        got = "one"
    case [_, _]:
        got = "pair"
print("b")
# %% step:c prev:b
print(got, _)
""",
    ),
    Case(
        "a failed match may still have bound its captures",
        RIGHT,
        """
# %% step:a
p = "old"
pair = (1, 2)
# %% step:b prev:a
match pair:
    case (p, q) if q > 10:
        print("never")
    case _:
        print("other")
# %% step:c prev:b
print(p, q)
""",
        inputs={"c": {"p": "b", "q": "b"}},
        why="CPython binds captures before the guard: p is 1",
    ),
    Case(
        "star targets, swaps and chained targets",
        RIGHT,
        """
# %% step:a
a1, *rest = [1, 2, 3]
x, y = 1, 2
# %% step:b prev:a
x, y = y, x
p = q = [x]
(head, *_), tail = rest + [9], y
print(x, y, p, q, head, tail)
# %% step:c prev:b
print(a1, rest, x, y, p, head, tail)
""",
        inputs={
            "b": {"x": "a", "y": "a", "rest": "a"},
            "c": {"a1": "a", "rest": "a", "x": "b", "y": "b", "p": "b", "head": "b", "tail": "b"},
        },
    ),
    Case(
        "chained assignment uses a target that it has just bound",
        RIGHT,
        """
# %% step:a
i = 0
xs = [10, 20]
# %% step:b prev:a
i = xs[i] = 1
print(i, xs)
# %% step:c prev:b
print(i, xs)
""",
        inputs={"b": {"xs": "a"}, "c": {"i": "b", "xs": "b"}},
        why="targets bind left to right: i is bound before xs[i] is evaluated",
    ),
    Case(
        "del of a name and a later read",
        REFUSED,
        """
# %% step:a
x = 1
# %% step:b prev:a
del x
# %% step:c prev:b
print(x)
""",
        also=(LOUD,),
        why="NameError top to bottom",
    ),
    Case(
        "del and bind again in the same step",
        RIGHT,
        """
# %% step:a
x = 1
# %% step:b prev:a
del x
x = 2
print(x)
# %% step:c prev:b
print(x)
""",
        inputs={"b": {"x": "a"}, "c": {"x": "b"}},
        why="`del x` needs x bound: it is read",
    ),
    Case(
        "del of an item and of an attribute",
        RIGHT,
        """
# %% step:a
from types import SimpleNamespace
d = {"a": 1, "b": 2}
o = SimpleNamespace(p=1, q=2)
# %% step:b prev:a
del d["a"], o.p
print(d, o)
# %% step:c prev:b
print(d, o)
""",
        inputs={"b": {"d": "a", "o": "a"}, "c": {"d": "b", "o": "b"}},
    ),
    Case(
        "conditional del",
        RIGHT,
        """
# %% step:a
x = 1
flag = False
# %% step:b prev:a
if flag:
    del x
print("b")
# %% step:c prev:b
print(x)
""",
        why="b may unbind x",
    ),
    Case(
        "a bare annotation binds nothing",
        RIGHT,
        """
# %% step:a
total = 10
# %% step:b prev:a
total: int
label: str
print("declared")
# %% step:c prev:b
print(total)
""",
        inputs={"b": {}, "c": {"total": "a"}},
    ),
]
