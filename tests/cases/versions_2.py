"""The right version: which step a variable comes from. Steps without `prev:`: the edges come from the data."""

from __future__ import annotations

from cases.case import LOUD, REFUSED, RIGHT, WARNED, Case

CASES = [
    Case(
        "a variable is overwritten by a definition",
        RIGHT,
        """
# %% step:a
f = 3
print(f)
# %% step:b prev:a
def f():
    return "function"
# %% step:c prev:b
print(f())
""",
        inputs={"c": {}},
    ),
    Case(
        "an import of one name hidden by a variable further down",
        RIGHT,
        """
# %% imports
from math import pi
import json
# %% step:a
print(round(pi, 2))
# %% step:b prev:a
pi = 3
json = {"k": 1}
print(pi)
# %% step:c prev:b
print(pi, json)
""",
        inputs={"a": {}, "c": {"pi": "b", "json": "b"}},
    ),
    Case(
        "a module rebound to another module",
        RIGHT,
        """
# %% imports
import math as lib
# %% step:a
print(lib.sqrt(4))
# %% step:b prev:a
import cmath as lib
print(lib.sqrt(-1))
# %% step:c prev:b
print(lib.sqrt(-4))
""",
        why="an import in a step is a definition: c has b's lib",
    ),
    Case(
        "two steps above define one function, in parallel",
        REFUSED,
        """
# %% step:a
x = 1
# %% step:b prev:a
def f():
    return "b"
# %% step:c prev:a
def f():
    return "c"
# %% step:d prev:b prev:c
print(f(), x)
""",
        also=(WARNED,),
        mentions=("f",),
        why="5.5 for definitions: neither is above the other",
    ),
    Case(
        "equal definitions in parallel branches",
        RIGHT,
        """
# %% step:a
x = 4
# %% step:b prev:a
import math
p = math.sqrt(x)
# %% step:c prev:a
import math
q = math.sqrt(x * 4)
# %% step:d prev:b prev:c
print(math.floor(p + q))
""",
        inputs={"d": {"p": "b", "q": "c"}},
        why="the same import twice is no conflict",
    ),
    Case(
        "version through a conditional chain",
        RIGHT,
        """
# %% step:a
x, go = "a", False
# %% step:b prev:a
if go:
    x = "b"
# %% step:c prev:b
if not go:
    x = x + "c"
# %% step:d prev:c
print(x)
""",
        inputs={"b": {"x": "a", "go": "a"}, "c": {"x": "b", "go": "a"}, "d": {"x": "c"}},
    ),
    Case(
        "a deleted variable bound again two steps below",
        RIGHT,
        """
# %% step:a
x = 1
# %% step:b prev:a
print(x)
del x
# %% step:c prev:b
x = 2
# %% step:d prev:c
print(x)
""",
        inputs={"d": {"x": "c"}},
    ),
    Case(
        "a step that only hands on through a tuple swap",
        RIGHT,
        """
# %% step:a
train, test = [1], [2]
# %% step:b prev:a
train, test = test, train
# %% step:c prev:b
print(train, test)
""",
        inputs={"c": {"train": "b", "test": "b"}},
    ),
    Case(
        "two roots joined",
        RIGHT,
        """
# %% step:left
l = 1
# %% step:right
r = 2
# %% step:join prev:left prev:right
print(l + r)
""",
        inputs={"join": {"l": "left", "r": "right"}},
        after={"left": [], "right": [], "join": ["left", "right"]},
    ),
    Case(
        "two roots write one name, joined",
        REFUSED,
        """
# %% step:left
data = 1
# %% step:right
data = 2
# %% step:join prev:left prev:right
print(data)
""",
        mentions=("data", "left", "right"),
    ),
    Case(
        "only step tags become the right graph",
        RIGHT,
        """
# %% step:load
data = [1, 2, 3]
# %% step:mean
m = sum(data) / len(data)
print(m)
# %% step:biggest
b = max(data)
print(b)
# %% step:report
print(m, b)
""",
        inputs={"mean": {"data": "load"}, "biggest": {"data": "load"}, "report": {"m": "mean", "b": "biggest"}},
        after={"load": [], "mean": ["load"], "biggest": ["load"], "report": ["biggest", "mean"]},
        quiet=True,
    ),
    Case(
        "independent steps are never ordered",
        RIGHT,
        """
# %% step:a
x = 1
print(x)
# %% step:b
y = 2
print(y)
# %% step:c
z = 3
print(z)
""",
        after={"a": [], "b": [], "c": []},
    ),
    Case(
        "no prev: the last writer above in the notebook",
        RIGHT,
        """
# %% step:a
x = 1
print(x)
# %% step:b
x = 2
print(x)
# %% step:c
print(x)
""",
        inputs={"b": {}, "c": {"x": "b"}},
        after={"b": [], "c": ["b"]},
    ),
    Case(
        "no prev: definite changes follow their maker in order",
        RIGHT,
        """
# %% step:a
xs = []
# %% step:b
xs.append("b")
print(xs)
# %% step:c
xs.append("c")
print(xs)
# %% step:d
print(xs)
""",
        inputs={"b": {"xs": "a"}, "c": {"xs": "b"}, "d": {"xs": "c"}},
        after={"b": ["a"], "c": ["b"], "d": ["c"]},
    ),
    Case(
        "no prev: a reader between two writers needs no order to the second",
        RIGHT,
        """
# %% step:a
x = 1
# %% step:b
print(x)
# %% step:c
x = 2
print(x)
# %% step:d
print(x)
""",
        inputs={"b": {"x": "a"}, "d": {"x": "c"}},
        after={"b": ["a"], "c": [], "d": ["c"]},
    ),
    Case(
        "no prev: a reader above a change keeps its version",
        RIGHT,
        """
# %% step:a
d = {"n": 1}
# %% step:b
print(d["n"])
# %% step:c
d["n"] += 1
print(d["n"])
# %% step:e
print(d["n"])
""",
        inputs={"b": {"d": "a"}, "c": {"d": "a"}, "e": {"d": "c"}},
        after={"b": ["a"], "c": ["a"], "e": ["c"]},
    ),
    Case(
        "no prev: possible changes do not order",
        RIGHT,
        """
# %% imports
import mylib
# %% step:a
X = [1, 2]
# %% step:b
p = mylib.total(X)
# %% step:c
q = mylib.total(X)
# %% step:d
print(p, q, X)
""",
        inputs={"b": {"X": "a"}, "c": {"X": "a"}, "d": {"p": "b", "q": "c", "X": "a"}},
        after={"b": ["a"], "c": ["a"]},
        files={"mylib.py": "def total(xs):\n    return sum(xs)\n"},
    ),
    Case(
        "no prev: a possible change that happens is loud",
        LOUD,
        """
# %% imports
import mylib
# %% step:a
X = [1, 2]
# %% step:b
p = mylib.total(X)
print(p)
# %% step:c
print(X)
""",
        also=(
            RIGHT,
            REFUSED,
        ),
        mentions=("X",),
        files={"mylib.py": "def total(xs):\n    xs.append(5)\n    return sum(xs)\n"},
        why=(
            "5.4: possible changes do not order steps without prev, so c may run beside b with a's X: then "
            "b's guard must fail the run"
        ),
    ),
    Case(
        "no prev: a conditional writer is on the path",
        RIGHT,
        """
# %% step:a
x, flag = 1, False
# %% step:b
if flag:
    x = 2
# %% step:c
print(x)
""",
        inputs={"b": {"x": "a", "flag": "a"}, "c": {"x": "b"}},
        after={"c": ["b"]},
    ),
    Case(
        "no prev: loop temporaries tie nothing",
        RIGHT,
        """
# %% step:a
for i in range(2):
    print("a", i)
# %% step:b
for i in range(3):
    print("b", i)
# %% step:c
total = [i for i in range(3)]
print(total)
""",
        parallel=(("a", "b"), ("b", "c"), ("a", "c")),
        why="a non-empty literal range binds i first; no data flows",
    ),
    Case(
        "no prev: a zero-trip loop leaves the question open",
        RIGHT,
        """
# %% step:a
i = "old"
n = 0
# %% step:b
for i in range(n):
    pass
print("b")
# %% step:c
print(i)
""",
        inputs={"b": {"i": "a", "n": "a"}, "c": {"i": "b"}},
    ),
    Case(
        "no prev mixed with prev",
        REFUSED,
        """
# %% step:a
x = 1
# %% step:b prev:a
y = x + 1
# %% step:c
z = y * 10
print(z)
# %% step:d prev:c
print(x, y, z)
""",
        inputs={"c": {"y": "b"}, "d": {"x": "a", "y": "b", "z": "c"}},
        after={"c": ["b"], "d": ["c"]},
        mentions=("prev:b",),
        why="a step that takes part in the prev: graph, here by being named in one, has exactly those edges",
    ),
    Case(
        "no prev: a step that needs a definition only",
        RIGHT,
        """
# %% step:a
def f():
    return 5
# %% step:b
print(f())
# %% step:c
k = 2
def g():
    return k
# %% step:d
print(g())
""",
        inputs={"d": {"k": "c"}},
    ),
    Case(
        "no prev: a helper of one step changes another step's list",
        RIGHT,
        """
# %% step:a
log = []
# %% step:tools
def note(x):
    log.append(x)
# %% step:b
note("b")
print(log)
# %% step:c
note("c")
print(log)
# %% step:d
print(log)
""",
        inputs={"b": {"log": "a"}, "c": {"log": "b"}, "d": {"log": "c"}},
    ),
    Case(
        "no prev: reading what only a later cell binds",
        REFUSED,
        """
# %% step:a
print(later)
# %% step:b
later = 1
""",
        mentions=("later",),
    ),
    Case(
        "no prev: fit in one step, predict in the next",
        RIGHT,
        """
# %% imports
import numpy as np
from sklearn.tree import DecisionTreeClassifier
# %% step:data
X = np.array([[0.0], [1.0], [2.0], [3.0]])
y = np.array([0, 0, 1, 1])
# %% step:train
clf = DecisionTreeClassifier(random_state=0)
clf.fit(X, y)
# %% step:evaluate
print(clf.score(X, y))
# %% step:stats
print(X.mean(), y.sum())
""",
        inputs={
            "train": {"X": "data", "y": "data"},
            "evaluate": {"clf": "train", "X": "data", "y": "data"},
            "stats": {"X": "data", "y": "data"},
        },
        parallel=(("train", "stats"),),
        quiet=True,
    ),
    Case(
        "no prev: estimator made in one step and fitted in another",
        RIGHT,
        """
# %% imports
import numpy as np
from sklearn.preprocessing import StandardScaler
# %% step:data
X = np.array([[0.0], [2.0]])
sc = StandardScaler()
# %% step:fit
sc.fit(X)
# %% step:use
print(sc.transform(X).ravel())
""",
        inputs={"fit": {"sc": "data", "X": "data"}, "use": {"sc": "fit", "X": "data"}},
    ),
    Case(
        "no prev: pandas in place in the middle",
        RIGHT,
        """
# %% imports
import pandas as pd
# %% step:load
df = pd.DataFrame({"x": [1, 2, 3]})
# %% step:look
print(df["x"].sum())
# %% step:feature
df["y"] = df["x"] ** 2
# %% step:report
print(df.to_dict("list"))
""",
        inputs={"look": {"df": "load"}, "feature": {"df": "load"}, "report": {"df": "feature"}},
        parallel=(("look", "feature"),),
    ),
]
