"""State in the imports and functions cells, in definitions, and of random generators."""

from __future__ import annotations

from cases.case import LOUD, REFUSED, RIGHT, WARNED, Case

CASES = [
    Case(
        "a class attribute changed in the constructor",
        REFUSED,
        """
# %% functions
class Node:
    made = 0
    def __init__(self):
        Node.made += 1
        self.id = Node.made
# %% step:a
n1 = Node()
print(n1.id)
# %% step:b prev:a
n2 = Node()
print(n2.id, n1.id)
""",
        also=(LOUD,),
        mentions=("Node",),
    ),
    Case(
        "a class attribute changed through cls and type(self)",
        REFUSED,
        """
# %% functions
class Reg:
    items = []
    @classmethod
    def add(cls, x):
        cls.items.append(x)
    def put(self, x):
        type(self).last = x
# %% step:a
Reg.add(1)
Reg().put("p")
print(Reg.items, Reg.last)
# %% step:b prev:a
Reg.add(2)
print(Reg.items)
""",
        also=(LOUD,),
        mentions=("Reg",),
    ),
    Case(
        "a function attribute that a step changes",
        REFUSED,
        """
# %% functions
def work():
    work.calls = getattr(work, "calls", 0) + 1
    return work.calls
# %% step:a
print(work())
# %% step:b prev:a
print(work())
""",
        also=(LOUD,),
        mentions=("work",),
    ),
    Case(
        "a mutable default that remembers",
        REFUSED,
        """
# %% functions
def remember(x, seen=[]):
    seen.append(x)
    return list(seen)
# %% step:a
print(remember(1))
# %% step:b prev:a
print(remember(2))
""",
        also=(LOUD,),
        mentions=("remember",),
    ),
    Case(
        "a mutable default that is only read",
        RIGHT,
        """
# %% functions
def pick(i, choices=["x", "y"], opts={}):
    return choices[i], opts.get("k")
# %% step:a
print(pick(0))
# %% step:b prev:a
print(pick(1))
""",
        why="nothing changes: refusing this would refuse half of all notebooks",
    ),
    Case(
        "a closure with nonlocal state made in the functions cell",
        REFUSED,
        """
# %% functions
def make():
    n = 0
    def up():
        nonlocal n
        n += 1
        return n
    return up
tick = make()
# %% step:a
print(tick(), tick())
# %% step:b prev:a
print(tick())
""",
        also=(
            LOUD,
            RIGHT,
            WARNED,
        ),
        mentions=("tick",),
        why="a closure cell is state too: b must print 3 or say why not",
    ),
    Case(
        "lru_cache whose content is printed",
        REFUSED,
        """
# %% functions
from functools import lru_cache
@lru_cache
def sq(x):
    return x * x
# %% step:a
print(sq(2), sq.cache_info().misses)
# %% step:b prev:a
print(sq(2), sq.cache_info().hits)
""",
        also=(
            LOUD,
            WARNED,
        ),
        mentions=("sq",),
    ),
    Case(
        "lru_cache over a function that reads changing state",
        REFUSED,
        """
# %% functions
from functools import cache
rate = 2
@cache
def cost(x):
    return x * rate
# %% step:a
print(cost(10))
# %% step:b prev:a
rate = 3
print(cost(10), cost(20))
""",
        also=(
            LOUD,
            RIGHT,
            WARNED,
        ),
        mentions=("cost",),
        why="notebook: 20 60 (the cached value); a fresh cache gives 30 60",
    ),
    Case(
        "a class attribute changed in the step that defines it",
        REFUSED,
        """
# %% step:a
class Conf:
    depth = 1
Conf.depth = 5
print(Conf.depth)
# %% step:b prev:a
print(Conf.depth)
""",
        also=(
            LOUD,
            RIGHT,
            WARNED,
        ),
        mentions=("Conf",),
        why="running the class source again resets depth to 1",
    ),
    Case(
        "a class attribute changed in the functions cell itself",
        RIGHT,
        """
# %% functions
class Conf:
    depth = 1
Conf.depth = 5
def g():
    return Conf.depth
g.note = "n"
# %% step:a
print(g())
# %% step:b prev:a
print(Conf.depth, g.note)
""",
        why="no step changes it: the cell runs whole in every step",
    ),
    Case(
        "a class attribute set on the instance is no state of the class",
        RIGHT,
        """
# %% functions
class Conf:
    depth = 1
    def deeper(self):
        self.depth += 1
# %% step:a
c = Conf()
c.deeper()
print(c.depth, Conf.depth)
# %% step:b prev:a
c.deeper()
print(c.depth, Conf.depth)
# %% step:c prev:b
print(c.depth)
""",
        inputs={"b": {"c": "a"}, "c": {"c": "b"}},
    ),
    Case(
        "a list in a class attribute changed through an instance",
        REFUSED,
        """
# %% functions
class Bag:
    shared = []
    def add(self, x):
        self.shared.append(x)
# %% step:a
b = Bag()
b.add(1)
print(Bag.shared)
# %% step:c prev:a
b.add(2)
print(Bag.shared, b.shared)
""",
        also=(LOUD,),
        mentions=("Bag",),
        why="pickle of b does not carry Bag.shared",
    ),
    Case(
        "monkey-patching a method of a notebook class",
        REFUSED,
        """
# %% functions
class Tool:
    def run(self):
        return "plain"
# %% step:a
def better(self):
    return "patched"
Tool.run = better
t = Tool()
print(t.run())
# %% step:b prev:a
print(t.run())
""",
        also=(
            LOUD,
            RIGHT,
        ),
        mentions=("Tool",),
    ),
    Case(
        "a singleton of the functions cell compared by identity",
        WARNED,
        """
# %% functions
MISSING = object()
def show(v):
    return "missing" if v is MISSING else "value"
# %% step:a
v = MISSING
w = 5
print(show(v), show(w))
# %% step:b prev:a
print(show(v), show(w))
""",
        also=(
            RIGHT,
            REFUSED,
            LOUD,
        ),
        mentions=("MISSING",),
        why=("the functions cell makes a new object() in b; the pickled v is another one: `is` fails in silence"),
    ),
    Case(
        "an instance of the imports cell is changed by one step",
        RIGHT,
        """
# %% imports
from collections import Counter, defaultdict
tally = Counter()
groups = defaultdict(list)
# %% step:a
tally.update("abca")
groups["x"].append(1)
print(tally.most_common(1))
# %% step:b prev:a
tally["z"] += 5
print(tally["z"], groups["x"])
# %% step:c prev:b
print(sorted(tally.items()), dict(groups))
""",
        inputs={"b": {"tally": "a", "groups": "a"}},
        why=(
            "`groups['x']` in b on a defaultdict with the key present changes nothing, but may: groups from b"
            " is as good"
        ),
    ),
    Case(
        "reading a missing key of a defaultdict changes it",
        RIGHT,
        """
# %% step:a
from collections import defaultdict
d = defaultdict(list)
print(len(d))
# %% step:b prev:a
d["new"]
print(len(d))
# %% step:c prev:b
print(sorted(d))
""",
        inputs={"c": {"d": "b"}},
        why="a subscript read on a defaultdict is a change: 5.6 says a may-change is re-exported",
    ),
    Case(
        "parallel steps append to a list of the functions cell",
        REFUSED,
        """
# %% functions
results = []
# %% step:a
x = 1
print(x)
# %% step:b prev:a
results.append(x + 1)
print(results)
# %% step:c prev:a
results.append(x + 2)
print(results)
# %% step:d prev:b prev:c
print(sorted(results))
""",
        mentions=("results",),
        why="two parallel definite changes joined: an error that names both",
    ),
    Case(
        "a functions cell that runs a computation on a parameter",
        RIGHT,
        """
# %% pipeline-parameters
n = 3
# %% functions
def table():
    return [i * n for i in range(n)]
# %% step:a
print(table())
# %% step:b prev:a
n = 2
print(table())
# %% step:c prev:b
print(table(), n)
""",
        inputs={"a": {}, "c": {"n": "b"}},
    ),
    Case(
        "an imports cell that reads a parameter at once",
        RIGHT,
        """
# %% pipeline-parameters
n = 3
# %% imports
import math
root = math.sqrt(n)
# %% step:a
print(root)
""",
        also=(REFUSED,),
        why=(
            "the notebook binds parameters first; 5.4 runs imports before parameters: right or refused, not a"
            " NameError in the run"
        ),
    ),
]
