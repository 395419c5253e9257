"""Change in place: items, methods, helpers, views, generators."""

from __future__ import annotations

from cases.case import RIGHT, WARNED, Case

CASES = [
    Case(
        "item, attribute and augmented assignment",
        RIGHT,
        """
# %% step:a
from types import SimpleNamespace
d, xs, o = {"n": 1}, [1, 2, 3], SimpleNamespace(v=1)
# %% step:b prev:a
d["n"] += 1
xs[0] = 10
o.v -= 1
print(d, xs, o)
# %% step:c prev:b
print(d, xs, o)
""",
        inputs={"b": {"d": "a", "xs": "a", "o": "a"}, "c": {"d": "b", "xs": "b", "o": "b"}},
    ),
    Case(
        "slice assignment, del of a slice and starred",
        RIGHT,
        """
# %% step:a
xs = [1, 2, 3, 4]
ys = [1, 2, 3, 4]
# %% step:b prev:a
xs[1:3] = ["m"]
del ys[::2]
ys[0], *ys[1:] = 7, 8
print(xs, ys)
# %% step:c prev:b
print(xs, ys)
""",
        inputs={"c": {"xs": "b", "ys": "b"}},
    ),
    Case(
        "nested item of an attribute of an item",
        RIGHT,
        """
# %% step:a
class Node:
    def __init__(self):
        self.kids = {"l": [0]}
tree = {"root": [Node()]}
# %% step:b prev:a
tree["root"][0].kids["l"][0] += 5
print(tree["root"][0].kids)
# %% step:c prev:b
print(tree["root"][0].kids)
""",
        inputs={"b": {"tree": "a"}, "c": {"tree": "b"}},
    ),
    Case(
        "mutating methods of containers",
        RIGHT,
        """
# %% step:a
from collections import deque
xs, s, d, q = [3, 1], {1}, {"a": 1}, deque([1, 2])
# %% step:b prev:a
xs.sort()
s.add(5)
d.update(b=2)
q.rotate(1)
print(xs, s, d, q)
# %% step:c prev:b
xs.extend([9])
last = d.popitem()
print(xs, sorted(s), d, list(q), last)
# %% step:e prev:c
print(xs, sorted(s), d, list(q))
""",
        inputs={"b": {"xs": "a", "s": "a", "d": "a", "q": "a"}, "e": {"xs": "c", "d": "c", "s": "b", "q": "b"}},
    ),
    Case(
        "a value taken by pop or setdefault",
        RIGHT,
        """
# %% step:a
stack = [1, 2, 3]
d = {}
# %% step:b prev:a
top = stack.pop()
d.setdefault("k", []).append(top)
print(top, stack, d)
# %% step:c prev:b
print(stack, d)
""",
        inputs={"c": {"stack": "b", "d": "b"}},
    ),
    Case(
        "a helper that changes its parameter",
        RIGHT,
        """
# %% functions
def clean(rows):
    rows.append("cleaned")
    for i, r in enumerate(rows):
        rows[i] = r.upper()
# %% step:a
data = ["x"]
# %% step:b prev:a
clean(data)
print(data)
# %% step:c prev:b
print(data)
""",
        inputs={"b": {"data": "a"}, "c": {"data": "b"}},
    ),
    Case(
        "a helper of a helper that changes through a second parameter",
        RIGHT,
        """
# %% functions
def put(target, key, value):
    target[key] = value
def fill(n, box):
    for i in range(n):
        put(key=i, value=i * i, target=box)
# %% step:a
box = {}
other = {"untouched": 1}
# %% step:b prev:a
fill(3, box)
print(box)
# %% step:c prev:b
print(box, other)
""",
        inputs={"b": {"box": "a"}, "c": {"box": "b", "other": "a"}},
    ),
    Case(
        "a helper that only reads leaves the version alone",
        RIGHT,
        """
# %% functions
def mean(rows):
    return sum(rows) / len(rows)
# %% step:a
data = [1, 2, 3]
# %% step:b prev:a
m = mean(data)
print(m)
# %% step:c prev:b
print(m, data)
""",
        inputs={"b": {"data": "a"}, "c": {"m": "b", "data": "a"}},
        why="5.5: it does not pass through steps that leave it alone; the helper is pure in the text",
    ),
    Case(
        "a method of a notebook class that changes self",
        RIGHT,
        """
# %% step:a
class Account:
    def __init__(self):
        self.balance = 0
    def deposit(self, n):
        self.balance += n
        return self
acc = Account()
# %% step:b prev:a
acc.deposit(5).deposit(6)
print(acc.balance)
# %% step:c prev:b
print(acc.balance)
""",
        inputs={"b": {"acc": "a"}, "c": {"acc": "b"}},
    ),
    Case(
        "a method that changes an object it holds",
        RIGHT,
        """
# %% step:a
class Store:
    def __init__(self, rows):
        self.rows = rows
    def add(self, r):
        self.rows.append(r)
st = Store([])
# %% step:b prev:a
st.add(1)
print(st.rows)
# %% step:c prev:b
st.add(2)
print(st.rows)
# %% step:d prev:c
print(st.rows)
""",
        inputs={"b": {"st": "a"}, "c": {"st": "b"}, "d": {"st": "c"}},
    ),
    Case(
        "an operator method that changes in place",
        RIGHT,
        """
# %% step:a
class Bag:
    def __init__(self):
        self.items = []
    def __iadd__(self, x):
        self.items.append(x)
        return self
    def __lshift__(self, x):
        self.items.append(("shift", x))
        return self
    def __setitem__(self, k, v):
        self.items.append((k, v))
bag = Bag()
# %% step:b prev:a
bag += 1
bag["k"] = 2
bag << 3
print(bag.items)
# %% step:c prev:b
print(bag.items)
""",
        inputs={"b": {"bag": "a"}, "c": {"bag": "b"}},
    ),
    Case(
        "only an operator with a hidden change",
        RIGHT,
        """
# %% step:a
class Flow:
    def __init__(self):
        self.tasks = []
    def __rshift__(self, t):
        self.tasks.append(t)
        return self
flow = Flow()
# %% step:b prev:a
flow >> "extract" >> "load"
print(flow.tasks)
# %% step:c prev:b
print(flow.tasks)
""",
        inputs={"b": {"flow": "a"}, "c": {"flow": "b"}},
        why="operators of a notebook's class are calls of its methods; silence would lose the change",
    ),
    Case(
        "reading a property that changes the object",
        RIGHT,
        """
# %% step:a
class Lazy:
    def __init__(self):
        self.loads = 0
    @property
    def data(self):
        self.loads += 1
        return self.loads
lz = Lazy()
# %% step:b prev:a
print(lz.data)
print(lz.data)
# %% step:c prev:b
print(lz.loads)
""",
        inputs={"b": {"lz": "a"}, "c": {"lz": "b"}},
        why="a property is a method call: it may change its object",
    ),
    Case(
        "iterating changes the object",
        RIGHT,
        """
# %% step:a
class Feed:
    def __init__(self):
        self.pos = 0
    def __iter__(self):
        return self
    def __next__(self):
        self.pos += 1
        if self.pos > 4:
            raise StopIteration
        return self.pos
feed = Feed()
# %% step:b prev:a
for item in feed:
    print(item)
    if item == 2:
        break
# %% step:c prev:b
print(list(feed))
""",
        inputs={"b": {"feed": "a"}, "c": {"feed": "b"}},
    ),
    Case(
        "a list iterator advances over three steps",
        RIGHT,
        """
# %% step:a
it = iter([1, 2, 3, 4, 5, 6])
print(next(it))
# %% step:b prev:a
print(next(it))
for x in it:
    if x == 4:
        break
# %% step:c prev:b
print(list(it))
""",
        inputs={"b": {"it": "a"}, "c": {"it": "b"}},
    ),
    Case(
        "zip, enumerate and unpacking advance an iterator",
        RIGHT,
        """
# %% step:a
it = iter(range(10))
# %% step:b prev:a
pairs = list(zip(it, "ab"))
p, q = next(it), next(it)
print(pairs, p, q)
# %% step:c prev:b
first, *rest = it
print(first, rest)
""",
        inputs={"b": {"it": "a"}, "c": {"it": "b"}},
        why="zip draws one element more than the shorter: notebook semantics must hold",
    ),
    Case(
        "membership test advances an iterator",
        RIGHT,
        """
# %% step:a
it = iter(range(10))
# %% step:b prev:a
print(3 in it)
# %% step:c prev:b
print(list(it))
""",
        inputs={"b": {"it": "a"}, "c": {"it": "b"}},
        why="`in` consumes an iterator",
    ),
    Case(
        "a random.Random advances in a chain",
        RIGHT,
        """
# %% imports
import random
# %% step:a
rng = random.Random(1)
print(rng.random())
# %% step:b prev:a
print(rng.random())
# %% step:c prev:b
print(rng.random())
""",
        inputs={"b": {"rng": "a"}, "c": {"rng": "b"}},
    ),
    Case(
        "a numpy generator handed to sklearn advances",
        RIGHT,
        """
# %% imports
import numpy as np
from sklearn.utils import shuffle
# %% step:a
rs = np.random.RandomState(0)
X = np.arange(6)
# %% step:b prev:a
print(shuffle(X, random_state=rs))
# %% step:c prev:b
print(shuffle(X, random_state=rs), rs.randint(100))
""",
        inputs={"b": {"rs": "a", "X": "a"}},
        why=("the RandomState is an argument of an unknown call: it may change, so c takes rs from b; X from a or b"),
    ),
    Case(
        "an alias within the step is changed",
        RIGHT,
        """
# %% step:a
x = [1]
# %% step:b prev:a
y = x
y.append(2)
print(y)
# %% step:c prev:b
print(x)
""",
        inputs={"b": {"x": "a"}, "c": {"x": "b"}},
    ),
    Case(
        "an element's alias is changed",
        RIGHT,
        """
# %% step:a
rows = [{"v": 1}, {"v": 2}]
# %% step:b prev:a
first = rows[0]
first["v"] = 100
print(first)
# %% step:c prev:b
print(rows)
""",
        inputs={"b": {"rows": "a"}, "c": {"rows": "b"}},
    ),
    Case(
        "a loop variable is an alias of the elements",
        RIGHT,
        """
# %% step:a
rows = [{"v": 1}, {"v": 2}]
# %% step:b prev:a
for r in rows:
    r["w"] = r["v"] * 2
print(len(rows))
# %% step:c prev:b
print(rows)
""",
        inputs={"b": {"rows": "a"}, "c": {"rows": "b"}},
    ),
    Case(
        "dict values and items are aliases",
        RIGHT,
        """
# %% step:a
groups = {"a": [1], "b": [2]}
more = {"c": [3]}
# %% step:b prev:a
for v in groups.values():
    v.append(0)
for k, v in more.items():
    v += [k]
print("b")
# %% step:c prev:b
print(groups, more)
""",
        inputs={"b": {"groups": "a", "more": "a"}, "c": {"groups": "b", "more": "b"}},
    ),
    Case(
        "zip, enumerate, sorted and comprehension aliases",
        RIGHT,
        """
# %% step:a
xs = [[2], [1]]
ys = [[7], [8]]
zs = [[5]]
ws = [[0]]
# %% step:b prev:a
for i, (p, q) in enumerate(zip(xs, ys)):
    p.append(i)
    q[0] = i
sorted(zs)[0].append("s")
[w.append("w") for w in ws]
print("b")
# %% step:c prev:b
print(xs, ys, zs, ws)
""",
        inputs={"c": {"xs": "b", "ys": "b", "zs": "b", "ws": "b"}},
    ),
    Case(
        "a mutation through a lambda or map",
        RIGHT,
        """
# %% step:a
rows = [[1], [2]]
log = []
# %% step:b prev:a
list(map(lambda r: r.append("m"), rows))
any(log.append(r[0]) for r in rows)
print(len(log))
# %% step:c prev:b
print(rows, log)
""",
        inputs={"b": {"rows": "a", "log": "a"}, "c": {"rows": "b", "log": "b"}},
    ),
    Case(
        "an alias through a conditional, a tuple, a star or a default",
        RIGHT,
        """
# %% step:a
a1, a2, a3, a4 = [1], [2], [3], [4]
flag = True
# %% step:b prev:a
t = a1 if flag else a2
t.append("t")
(u, v) = (a3, 0)
u.append("u")
def f(z=a4):
    z.append("z")
f()
print("b")
# %% step:c prev:b
print(a1, a2, a3, a4)
""",
        why="a2 may have been changed; handing b's on is right; a4 is the default of f",
    ),
    Case(
        "an alias through a helper that returns its argument",
        RIGHT,
        """
# %% functions
def same(x):
    return x
def biggest(d):
    return max(d.values(), key=len)
# %% step:a
xs = [1]
d = {"s": [1], "l": [1, 2]}
# %% step:b prev:a
same(xs).append(2)
big = biggest(d)
big.append("big")
print("b")
# %% step:c prev:b
print(xs, d)
""",
        inputs={"c": {"xs": "b", "d": "b"}},
    ),
    Case(
        "an alias in an attribute is changed by a method",
        RIGHT,
        """
# %% step:a
config = {"lr": 1}
class Trainer:
    def __init__(self, cfg):
        self.cfg = cfg
    def tune(self):
        self.cfg["lr"] = 0.5
# %% step:b prev:a
t = Trainer(config)
t.tune()
print(t.cfg)
# %% step:c prev:b
print(config)
""",
        inputs={"b": {"config": "a"}, "c": {"config": "b"}},
    ),
    Case(
        "a global changed by a helper that names it",
        RIGHT,
        """
# %% step:a
history = []
def log(msg):
    history.append(msg)
log("a")
# %% step:b prev:a
log("b")
print(len(history))
# %% step:c prev:b
print(history)
""",
        inputs={"b": {"history": "a"}, "c": {"history": "b"}},
    ),
    Case(
        "a global changed by a helper passed as a callback",
        RIGHT,
        """
# %% step:a
seen = []
def visit(x):
    seen.append(x)
    return x
# %% step:b prev:a
out = sorted([3, 1], key=visit)
print(out)
# %% step:c prev:b
print(seen)
""",
        inputs={"b": {"seen": "a"}, "c": {"seen": "b"}},
    ),
    Case(
        "pandas in place",
        RIGHT,
        """
# %% imports
import pandas as pd
# %% step:a
df = pd.DataFrame({"b": [2, 1, None], "a": [1, 2, 3]})
# %% step:b prev:a
df.dropna(inplace=True)
df["c"] = df["a"] * 2
df.loc[0, "a"] = 100
df.sort_values("b", inplace=True)
print(df.to_dict("list"))
# %% step:c prev:b
df.drop(columns=["c"], inplace=True)
df.columns = ["B", "A"]
print(df.to_dict("list"))
# %% step:d prev:c
print(df.to_dict("list"))
""",
        inputs={"b": {"df": "a"}, "c": {"df": "b"}, "d": {"df": "c"}},
    ),
    Case(
        "a possible change beside a reader, and a step below both",
        WARNED,
        """
# %% step:a
class Bag:
    def __init__(self): self.xs = []
    def put(self, x): self.xs.append(x)
bag = Bag()
# %% step:b prev:a
bag.put(1)
# %% step:c prev:a
k = len(bag.xs)
# %% step:d prev:b prev:c
print(bag.xs, k)
""",
        mentions=("bag",),
    ),
    Case(
        "results written into arguments",
        RIGHT,
        """
# %% imports
import numpy as np
# %% step:a
hits = np.zeros(3)
roots = np.array([1.0, 4.0])
# %% step:b prev:a
np.add.at(hits, [0, 0, 2], 1)
np.sqrt(roots, roots)
# %% step:c prev:b
print(hits, roots)
""",
        inputs={"c": {"hits": "b", "roots": "b"}},
    ),
    Case(
        "a defaultdict made of a builtin, and that builtin again",
        RIGHT,
        """
# %% imports
from collections import defaultdict
# %% step:a
by = defaultdict(list)
by["k"].append(1)
# %% step:b prev:a
by["new"]
# %% step:c prev:b
print(list(by))
""",
        inputs={"c": {"by": "b"}},
    ),
    Case(
        "a cached property keeps its first value",
        RIGHT,
        """
# %% imports
from functools import cached_property
# %% step:a
class Data:
    def __init__(self, xs): self.xs = xs
    @cached_property
    def total(self): return sum(self.xs)
data = Data([1, 2])
# %% step:b prev:a
print(data.total)
# %% step:c prev:b
data.xs.append(10)
print(data.total)
""",
        inputs={"c": {"data": "b"}},
    ),
]
