"""Found in review: changes and bindings that the analysis did not see, so that a later step got an old value."""

from __future__ import annotations

from cases.case import REFUSED, RIGHT, Case

CASES = [
    Case(
        "a name bound below the break of an endless loop",
        RIGHT,
        """
# %% step:z
x = -1
# %% step:a prev:z
i = 0
while True:
    if i > 2:
        break
    x = i
    i += 1
# %% step:b prev:a
print(x)
""",
        inputs={"b": {"x": "a"}},
    ),
    Case(
        "a name bound above the continue of a loop",
        RIGHT,
        """
# %% step:z
last = None
# %% step:a prev:z
for i in [1, 2, 3]:
    if i < 3:
        last = i
        continue
# %% step:b prev:a
print(last)
""",
        inputs={"b": {"last": "a"}},
    ),
    Case(
        "an alias that only the second round of a loop makes",
        RIGHT,
        """
# %% step:a
d, b = [], []
# %% step:b prev:a
a = []
for i in [1, 2, 3]:
    a = b
    b = d
a.append(1)
# %% step:c prev:b
print(d)
""",
        inputs={"c": {"d": "b"}},
    ),
    Case(
        "keys of a mapping pattern",
        RIGHT,
        """
# %% step:a
class C:
    A = 1
# %% step:b prev:a
match {1: 2}:
    case {C.A: v}:
        print(v)
""",
    ),
    Case(
        "a class in a function reads annotations and class attributes",
        RIGHT,
        """
# %% step:a
kind = int
k = 0
def make():
    class A:
        k = 1
        x: kind = 3
        def get(self, n=k):
            return n
    return A
# %% step:b prev:a
print(make().__annotations__, make()().get())
""",
        inputs={"b": {"kind": "a"}},
    ),
    Case(
        "a helper of the shared cells that is perhaps another one",
        RIGHT,
        """
# %% functions
def prep(d):
    return 0
if bool(1):
    def prep(d):
        d["k"] = 1
    ready = True
# %% step:a
d = {}
# %% step:b prev:a
prep(d)
# %% step:c prev:b
print(d)
""",
        inputs={"c": {"d": "b"}},
    ),
    Case(
        "a helper that a step perhaps defines anew",
        RIGHT,
        """
# %% functions
def prep(d):
    d["k"] = 1
# %% step:a
d = {}
flag = False
# %% step:b prev:a
if flag:
    print(flag)
    def prep(d):
        return 0
prep(d)
# %% step:c prev:b
print(d)
""",
        inputs={"c": {"d": "b"}},
    ),
    Case(
        "a setting among the targets of a shared statement",
        RIGHT,
        """
# %% imports
import os
mode, os.environ["KALEC_ROW"] = "fast", "2"
old = os.umask(0o022)
# %% step:a
print(os.environ["KALEC_ROW"])
""",
    ),
    Case(
        "helpers that call each other, and themselves with arguments swapped",
        RIGHT,
        """
# %% functions
def a(n, xs):
    if n:
        b(n - 1, xs)
    xs.append(n)
def b(n, xs):
    if n:
        a(n - 1, xs)
def turn(n, left, right):
    left.append(n)
    if n:
        turn(n - 1, right, left)
# %% step:one
x, y, u, v = [], [], [], []
# %% step:two prev:one
a(0, x)
b(3, y)
turn(1, u, v)
# %% step:three prev:two
print(x, y, u, v)
""",
        inputs={"three": {"x": "two", "y": "two", "u": "two", "v": "two"}},
    ),
    Case(
        "a helper that calls another one after an assignment",
        RIGHT,
        """
# %% functions
def quiet(d):
    return 0
def loud(d):
    d["k"] = 1
# %% step:a
c, d, e = {}, {}, {}
def helper(d):
    act(d)
# %% step:b prev:a
act = quiet
helper(c)
if len(c) == 0:
    act = loud
    helper(d)
else:
    helper(c)
act = loud
helper(e)
# %% step:c prev:b
print(c, d, e)
""",
        inputs={"c": {"c": "a", "d": "b", "e": "b"}},
    ),
    Case(
        "what is put into a container and changed there",
        RIGHT,
        """
# %% step:a
from types import SimpleNamespace
c, d, e, f = {}, {}, {}, {}
# %% step:b prev:a
xs, box, o = [], {}, SimpleNamespace()
xs.append(c)
box["d"] = d
o.e = e
xs[0]["k"] = 1
for one in box.values():
    one["k"] = 2
o.e["k"] = 3
xs += [f]
xs[-1]["k"] = 4
# %% step:c prev:b
print(c, d, e, f)
""",
        inputs={"c": {"c": "b", "d": "b", "e": "b", "f": "b"}},
    ),
    Case(
        "a container from above that is given something",
        RIGHT,
        """
# %% step:a
xs, d = [], {}
# %% step:b prev:a
xs.append(d)
xs[0]["k"] = 1
print(xs)
# %% step:c prev:b
print(d)
""",
        inputs={"c": {"d": "b"}},
    ),
    Case(
        "a list that grows leaves its elements alone",
        RIGHT,
        """
# %% step:a
rows = [[1], [2]]
# %% step:b prev:a
every = []
for row in rows:
    every.append(row)
every.append([3])
every.sort()
print(every)
# %% step:c prev:b
print(rows)
""",
        inputs={"c": {"rows": "a"}},
    ),
    Case(
        "elements of lists put together",
        RIGHT,
        """
# %% step:a
rows, more, row = [{"a": 1}], [{"a": 2}], [0]
# %% step:b prev:a
for r in rows + more:
    r["x"] = 1
pairs = [(i, r) for i, r in enumerate(rows)]
pairs[0][1]["y"] = 2
grid = [row for _ in range(3)]
grid[0].append(1)
# %% step:c prev:b
print(rows, more, row)
""",
        inputs={"c": {"rows": "b", "more": "b", "row": "b"}},
    ),
    Case(
        "a variable that a helper gives back",
        RIGHT,
        """
# %% step:a
store, deep = {}, {"a": {}}
def get():
    return store
def part(n):
    return deep[n] if n else get()
def again():
    return get()
# %% step:b prev:a
again()["k"] = 1
x = part("a")
x["k"] = 2
# %% step:c prev:b
print(store, deep)
""",
        inputs={"c": {"store": "b", "deep": "b"}},
    ),
    Case(
        "a function that a step does not define anew after all",
        RIGHT,
        """
# %% step:a
def prep():
    return "a"
# %% step:b prev:a
if len("x") > 5:
    def prep():
        return "b"
# %% step:c prev:b
print(prep())
""",
    ),
    Case(
        "a function that a step perhaps defines anew, among other things",
        REFUSED,
        """
# %% step:a
def prep():
    return "a"
# %% step:b prev:a
if len("x") > 5:
    print("x")
    def prep():
        return "b"
# %% step:c prev:b
print(prep())
""",
        mentions=("two different definitions of `prep`", "another name"),
    ),
    Case(
        "methods that assignments run",
        RIGHT,
        """
# %% step:a
log = []
class A:
    @property
    def p(self):
        return 1
    @p.setter
    def p(self, value):
        log.append(value)
    def __setitem__(self, key, value):
        log.append(key)
    def __delitem__(self, key):
        log.append(key)
    def __iadd__(self, other):
        log.append(other)
        return self
a, b, c, d = A(), A(), A(), A()
# %% step:b prev:a
a.p = 1
# %% step:c prev:b
b["k"] = 2
# %% step:d prev:c
del c["l"]
# %% step:e prev:d
d += 3
# %% step:f prev:e
print(log)
""",
    ),
    Case(
        "default that the home step perhaps bound",
        RIGHT,
        """
# %% step:a
limit = 1
# %% step:b prev:a
if limit < 2:
    limit = 3
def above(x, least=limit):
    return x + least
# %% step:c prev:b
limit = 7
# %% step:d prev:c
print(above(1), limit)
""",
    ),
    Case(
        "default that a loop of the home step changed",
        RIGHT,
        """
# %% pipeline-parameters
rounds = 1
# %% step:a
while rounds % 3:
    rounds += 1
class Kept:
    most = rounds
    def get(self, n=rounds):
        return n, self.most
# %% step:b prev:a
rounds = 9
# %% step:c prev:b
print(Kept().get(), rounds)
""",
    ),
    Case(
        "default that nothing above has, and an unlucky step does not bind",
        RIGHT,
        """
# %% step:a
try:
    size = int("12")
except ValueError:
    pass
def sized(n=size):
    return n
# %% step:b prev:a
print(sized())
""",
    ),
]
