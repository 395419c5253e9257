"""Change in place: items, methods, helpers, views, generators."""

from __future__ import annotations

from cases.case import LOUD, REFUSED, RIGHT, WARNED, Case

CASES = [
    Case(
        "pandas pop, insert, update and index attribute",
        RIGHT,
        """
# %% imports
import pandas as pd
# %% step:a
df = pd.DataFrame({"x": [1, 2], "y": [3, 4], "target": [0, 1]})
other = pd.DataFrame({"x": [10, 20]})
# %% step:b prev:a
y = df.pop("target")
df.insert(0, "z", [9, 9])
df.update(other)
df.index = ["r1", "r2"]
print(y.tolist())
# %% step:c prev:b
print(df.to_dict("index"))
""",
        inputs={"c": {"df": "b"}},
    ),
    Case(
        "pandas methods that return a new frame leave the old one",
        RIGHT,
        """
# %% imports
import pandas as pd
# %% step:a
df = pd.DataFrame({"x": [2, 1]})
# %% step:b prev:a
out = df.sort_values("x").reset_index(drop=True).assign(y=1)
print(out.to_dict("list"))
# %% step:c prev:b
print(df.to_dict("list"), out.shape)
""",
        inputs={"b": {"df": "a"}, "c": {"df": "a", "out": "b"}},
        quiet=True,
        why="stub table: these are pure; 5.5: df does not pass through b",
    ),
    Case(
        "numpy in place",
        RIGHT,
        """
# %% imports
import numpy as np
# %% step:a
x = np.arange(6.0)
y = np.zeros(3)
z = np.array([3, 1, 2])
# %% step:b prev:a
x[x > 3] = 0
x *= 2
np.add(y, 1, out=y)
z.sort()
np.fill_diagonal(m := np.zeros((2, 2)), 5)
print(x, y, z, m.tolist())
# %% step:c prev:b
x.resize((3, 2), refcheck=False)
y.fill(7)
np.copyto(z, 4)
print(x.shape, y, z)
# %% step:d prev:c
print(x.tolist(), y, z)
""",
        inputs={"c": {"x": "b", "y": "b", "z": "b"}, "d": {"x": "c", "y": "c", "z": "c"}},
    ),
    Case(
        "a numpy view changes its base",
        RIGHT,
        """
# %% imports
import numpy as np
# %% step:a
base = np.zeros((3, 3))
# %% step:b prev:a
row0 = base[0]
row0 += 1
base.ravel()[4] = 9
col = base.T[2]
col[:] = 7
print(row0)
# %% step:c prev:b
print(base.tolist())
""",
        inputs={"b": {"base": "a"}, "c": {"base": "b"}},
    ),
    Case(
        "numpy shuffles in place through a module function",
        RIGHT,
        """
# %% imports
import numpy as np
import random
# %% step:a
xs = np.arange(8)
ys = list(range(5))
# %% step:b prev:a
np.random.default_rng(0).shuffle(xs)
random.Random(0).shuffle(ys)
print("b")
# %% step:c prev:b
print(xs, ys)
""",
        inputs={"c": {"xs": "b", "ys": "b"}},
    ),
    Case(
        "stdlib functions that change their argument",
        RIGHT,
        """
# %% imports
import bisect
import heapq
import operator
# %% step:a
h = [5, 3, 8]
s = [1, 4]
d = {"k": 1}
o = type("O", (), {})
n = []
# %% step:b prev:a
heapq.heapify(h)
heapq.heappush(h, 1)
bisect.insort(s, 3)
operator.setitem(d, "k", 2)
n.__iadd__([1])
dict.update(d, z=3)
list.append(s, 99)
print(h[0])
# %% step:c prev:b
print(h, s, d, n)
""",
        inputs={"c": {"h": "b", "s": "b", "d": "b", "n": "b"}},
    ),
    Case(
        "setattr and delattr",
        RIGHT,
        """
# %% imports
from types import SimpleNamespace
# %% step:a
o = SimpleNamespace(x=1, y=2)
# %% step:b prev:a
setattr(o, "x", 5)
delattr(o, "y")
vars(o)["z"] = 3
o.__dict__["w"] = 4
print(o)
# %% step:c prev:b
print(o)
""",
        inputs={"b": {"o": "a"}, "c": {"o": "b"}},
    ),
    Case(
        "fit changes the estimator and not the data",
        RIGHT,
        """
# %% imports
import numpy as np
from sklearn.linear_model import LinearRegression
# %% step:a
X = np.arange(10.0).reshape(5, 2)
y = X[:, 0] * 2 + 1
model = LinearRegression()
# %% step:b prev:a
model.fit(X, y)
print(model.coef_.round(3))
# %% step:c prev:b
print(model.predict(X[:1]).round(3), y[0])
""",
        inputs={"b": {"model": "a", "X": "a", "y": "a"}, "c": {"model": "b", "X": "a", "y": "a"}},
        quiet=True,
    ),
    Case(
        "five estimators fitted in parallel on one X",
        RIGHT,
        """
# %% imports
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier
# %% step:data
rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3))
y = (X[:, 0] > 0).astype(int)
# %% step:lr prev:data
lr = LogisticRegression().fit(X, y)
s_lr = lr.score(X, y)
print(round(s_lr, 3))
# %% step:nb prev:data
nb = GaussianNB()
nb.fit(X, y)
s_nb = nb.score(X, y)
print(round(s_nb, 3))
# %% step:knn prev:data
knn = KNeighborsClassifier(3)
knn.fit(X, y)
s_knn = knn.score(X, y)
print(round(s_knn, 3))
# %% step:tree prev:data
tree = DecisionTreeClassifier(random_state=0)
s_tree = tree.fit(X, y).score(X, y)
print(round(s_tree, 3))
# %% step:compare prev:lr:nb:knn:tree
scores = {"lr": s_lr, "nb": s_nb, "knn": s_knn, "tree": s_tree}
print(max(scores, key=scores.get), X.shape)
""",
        inputs={
            "lr": {"X": "data", "y": "data"},
            "tree": {"X": "data", "y": "data"},
            "compare": {"s_lr": "lr", "s_nb": "nb", "s_knn": "knn", "s_tree": "tree", "X": "data"},
        },
        parallel=(("lr", "nb"), ("nb", "knn"), ("knn", "tree")),
        quiet=True,
    ),
    Case(
        "parallel steps hand X to an unknown helper that does not change it",
        RIGHT,
        """
# %% imports
import mylib
# %% step:a
X = [1, 2, 3]
# %% step:b prev:a
p = mylib.total(X)
print(p)
# %% step:c prev:a
q = mylib.biggest(X)
print(q)
# %% step:d prev:b prev:c
print(X, p, q)
""",
        inputs={"b": {"X": "a"}, "c": {"X": "a"}, "d": {"X": "a", "p": "b", "q": "c"}},
        files={"mylib.py": "def total(xs):\n    return sum(xs)\n\ndef biggest(xs):\n    return max(xs)\n"},
        why=("5.6: where parallel steps only may change it, the version from above; the guard finds it unchanged"),
    ),
    Case(
        "parallel steps hand X to an unknown helper that does change it",
        LOUD,
        """
# %% imports
import mylib
# %% step:a
X = [1, 2, 3]
# %% step:b prev:a
p = mylib.total(X)
print(p)
# %% step:c prev:a
q = mylib.biggest(X)
print(q)
# %% step:d prev:b prev:c
print(X, p, q)
""",
        also=(REFUSED,),
        mentions=("X", "changes:X"),
        files={
            "mylib.py": "def total(xs):\n    xs.append(0)\n    return sum(xs)\n\ndef biggest(xs):\n    return max(xs)\n"
        },
        why="5.6: hidden mutation in a parallel step: the run fails with the remedy `changes:X`",
    ),
    Case(
        "a chain hands X to an unknown helper that changes it",
        RIGHT,
        """
# %% imports
import mylib
# %% step:a
X = [1, 2, 3]
# %% step:b prev:a
mylib.poke(X)
print("poked")
# %% step:c prev:b
print(X)
""",
        inputs={"b": {"X": "a"}, "c": {"X": "b"}},
        files={"mylib.py": "def poke(xs):\n    xs.append(99)\n"},
        why="5.6: a step that may change it re-exports it",
    ),
    Case(
        "an unknown method call may change its object",
        RIGHT,
        """
# %% imports
from mylib import Thing
# %% step:a
t = Thing()
# %% step:b prev:a
t.touch()
print("touched")
# %% step:c prev:b
print(t.n)
""",
        inputs={"b": {"t": "a"}, "c": {"t": "b"}},
        files={
            "mylib.py": "class Thing:\n    def __init__(self):\n        self.n = 0\n    def touch(self):\n        self.n += 1\n"
        },
    ),
    Case(
        "an unknown object keeps a reference and changes it later",
        RIGHT,
        """
# %% imports
from mylib import Keeper
# %% step:a
xs = [1]
# %% step:b prev:a
k = Keeper(xs)
k.go()
print("b")
# %% step:c prev:b
print(xs)
""",
        inputs={"b": {"xs": "a"}, "c": {"xs": "b"}},
        files={
            "mylib.py": "class Keeper:\n    def __init__(self, xs):\n        self.xs = xs\n    def go(self):\n        self.xs.append(2)\n"
        },
    ),
    Case(
        "the tag changes settles the doubt",
        RIGHT,
        """
# %% imports
import mylib
# %% step:a
X = [1, 2, 3]
# %% step:b prev:a changes:X
mylib.poke(X)
print("poked")
# %% step:c prev:a
q = max([1, 2])
print(q)
# %% step:d prev:b prev:c
print(X, q)
""",
        inputs={"d": {"X": "b", "q": "c"}},
        files={"mylib.py": "def poke(xs):\n    xs.append(99)\n"},
    ),
    Case(
        "a hidden change in a parallel branch nobody reads afterwards",
        RIGHT,
        """
# %% imports
import mylib
# %% step:a
X = [1, 2, 3]
# %% step:c prev:a
print(max(X))
# %% step:b prev:a
mylib.poke(X)
print(X)
""",
        inputs={"b": {"X": "a"}, "c": {"X": "a"}},
        files={"mylib.py": "def poke(xs):\n    xs.append(99)\n"},
        why="no later step reads X: no doubt exists, the guard costs nothing and must not fail the run",
    ),
    Case(
        "one parallel step assigns and the other may change",
        LOUD,
        """
# %% imports
import mylib
# %% step:a
X = [1, 2]
# %% step:b prev:a
X = X + [3]
print(X)
# %% step:c prev:a
mylib.poke(X)
print("c")
# %% step:d prev:b prev:c
print(X)
""",
        also=(REFUSED,),
        mentions=("X",),
        files={"mylib.py": "def poke(xs):\n    xs.append(99)\n"},
        why="d takes b's X; that c changed its own must be loud (guard) or refused",
    ),
    Case(
        "a generator object cannot cross",
        LOUD,
        """
# %% step:a
g = (i * i for i in range(5))
print(next(g))
# %% step:b prev:a
print(list(g))
""",
        also=(REFUSED,),
        mentions=("g",),
        why="generators are refused, naming the variable (issue 2.7)",
    ),
    Case(
        "an open file cannot cross",
        LOUD,
        r"""
# %% step:a
f = open("data.txt", "w+")
f.write("line\n")
f.flush()
print("written")
# %% step:b prev:a
f.seek(0)
print(f.read())
""",
        also=(REFUSED,),
        mentions=("f",),
    ),
    Case(
        "a database connection cannot cross",
        LOUD,
        """
# %% imports
import sqlite3
# %% step:a
con = sqlite3.connect(":memory:")
con.execute("create table t (v)")
con.execute("insert into t values (1)")
print("made")
# %% step:b prev:a
print(con.execute("select * from t").fetchall())
""",
        also=(REFUSED,),
        mentions=("con",),
    ),
    Case(
        "a lock inside an object cannot cross",
        LOUD,
        """
# %% imports
import threading
# %% step:a
class Worker:
    def __init__(self):
        self.name = "w"
        self.lock = threading.Lock()
worker = Worker()
print(worker.name)
# %% step:b prev:a
with worker.lock:
    print(worker.name)
""",
        also=(REFUSED,),
        mentions=("worker", "lock"),
        why="issue 2.7: the attribute that is to blame, where it can be told",
    ),
    Case(
        "an in-memory text buffer crosses with its position",
        RIGHT,
        r"""
# %% imports
import io
# %% step:a
buf = io.StringIO()
buf.write("one\n")
print(buf.getvalue().strip())
# %% step:b prev:a
buf.write("two\n")
print("two")
# %% step:c prev:b
print(buf.getvalue())
""",
        also=(REFUSED,),
        inputs={"c": {"buf": "b"}},
        why="StringIO pickles with its position; `file-like handles refused` may cover it",
    ),
    Case(
        "print with file writes into a variable",
        RIGHT,
        """
# %% imports
import io
import csv
# %% step:a
buf = io.StringIO()
# %% step:b prev:a
print("hidden", file=buf)
csv.writer(buf).writerow([1, 2])
print("b")
# %% step:c prev:b
print(buf.getvalue())
""",
        also=(REFUSED,),
        inputs={"c": {"buf": "b"}},
        why="print(file=buf) changes buf",
    ),
    Case(
        "unpicklable values that stay inside their step do no harm",
        RIGHT,
        """
# %% step:a
import threading
lock = threading.Lock()
gen = (i for i in range(3))
f = open("t.txt", "w")
print(sum(gen), file=f)
f.close()
total = 3
# %% step:b prev:a
print(total)
""",
        inputs={"b": {"total": "a"}},
        why="only what a later step reads is handed on",
    ),
    Case(
        "an out parameter given by keyword in a helper with star args",
        RIGHT,
        """
# %% functions
def run(*parts, into=None, **options):
    into.extend(parts)
    options["log"].append(len(parts))
# %% step:a
acc, lines = [], []
# %% step:b prev:a
run(1, 2, into=acc, log=lines)
print("b")
# %% step:c prev:b
print(acc, lines)
""",
        inputs={"c": {"acc": "b", "lines": "b"}},
    ),
    Case(
        "a mutation by recursion on nested data",
        RIGHT,
        """
# %% functions
def strip(node):
    if isinstance(node, dict):
        node.pop("_id", None)
        for child in node.values():
            strip(child)
    elif isinstance(node, list):
        for child in node:
            strip(child)
# %% step:a
doc = {"_id": 1, "kids": [{"_id": 2, "v": 3}]}
# %% step:b prev:a
strip(doc)
print("stripped")
# %% step:c prev:b
print(doc)
""",
        inputs={"b": {"doc": "a"}, "c": {"doc": "b"}},
    ),
    Case(
        "a helper rebinds its parameter before it changes it",
        RIGHT,
        """
# %% functions
def safe(rows):
    rows = list(rows)
    rows.append("x")
    return rows
# %% step:a
data = [1]
# %% step:b prev:a
out = safe(data)
print(out)
# %% step:c prev:b
print(data, out)
""",
        why="a copy is changed: data does not pass through b (a may-change re-export gives equal values)",
    ),
    Case(
        "an in-place operation on an immutable is a binding",
        RIGHT,
        """
# %% step:a
t = (1, 2)
s = "ab"
# %% step:b prev:a
u = t
t += (3,)
s *= 2
print(t, u, s)
# %% step:c prev:b
print(t, u, s)
""",
        inputs={"c": {"t": "b", "u": "b", "s": "b"}},
    ),
    Case(
        "context manager that changes its object",
        RIGHT,
        """
# %% step:a
class Timer:
    def __init__(self):
        self.laps = []
    def __enter__(self):
        self.laps.append("in")
        return self
    def __exit__(self, *exc):
        self.laps.append("out")
timer = Timer()
# %% step:b prev:a
with timer:
    print("work")
# %% step:c prev:b
print(timer.laps)
""",
        inputs={"b": {"timer": "a"}, "c": {"timer": "b"}},
        why="`with timer:` calls __enter__ and __exit__, which may change it",
    ),
    Case(
        "str and format that change the object",
        RIGHT,
        """
# %% step:a
class Odd:
    def __init__(self):
        self.shown = 0
    def __str__(self):
        self.shown += 1
        return f"odd{self.shown}"
odd = Odd()
# %% step:b prev:a
print(f"{odd} {odd}")
# %% step:c prev:b
print(odd.shown)
""",
        also=(
            WARNED,
            LOUD,
        ),
        mentions=("odd",),
        why="adversarial: printing runs notebook code; c must see 2 or the doubt must be said",
    ),
]
