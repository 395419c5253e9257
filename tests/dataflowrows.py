"""A table of notebooks: what each step gets and from whom, what it hands on, and what is wrong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """`steps` has a line for each step: `name: producer.variable ... | after steps | ... | -> outputs`.

    An input with `!` is loaded before the carried definitions run, an output with `?` may be absent; `takes` lists what
    the step has of the imports and functions cells. `rules` are the findings about names.
    """

    name: str
    text: str
    steps: str
    rules: str = ""


ROWS = [
    Row(
        "a chain",
        """
# %% step:a
x = 1
# %% step:b prev:a
y = x
# %% step:c prev:b
print(x, y)
""",
        """
a: -> x
b: a.x | after a | -> y
c: a.x b.y | after b
""",
    ),
    Row(
        "the nearest step leaves it alone",
        """
# %% step:a
x = 1
# %% step:b prev:a
print(x)
# %% step:c prev:b
print(x)
""",
        """
a: -> x
b: a.x | after a
c: a.x | after b
""",
    ),
    Row(
        "the last that bound it",
        """
# %% step:a
x = 1
# %% step:b prev:a
x = 2
# %% step:c prev:a:b
print(x)
""",
        """
a:
b: after a | -> x
c: b.x | after a b
""",
    ),
    Row(
        "an order without data",
        """
# %% step:a
print(1)
# %% step:b prev:a
print(2)
""",
        """
a:
b: after a
""",
    ),
    Row(
        "edges from the data",
        """
# %% step:a
x = 1
# %% step:b
y = 2
# %% step:c
print(x)
# %% step:d
print(x, y)
""",
        """
a: -> x
b: -> y
c: a.x | after a
d: a.x b.y | after a b
""",
    ),
    Row(
        "a step outside the prev graph",
        """
# %% step:a
x = 1
# %% step:b prev:a
y = x
# %% step:c
print(y)
""",
        """
a: -> x
b: a.x | after a | -> y
c: b.y | after b
""",
    ),
    Row(
        "bound perhaps",
        """
# %% step:a
x = 1
# %% step:b prev:a
if x:
    x = 2
# %% step:c prev:b
print(x)
""",
        """
a: -> x
b: a.x | after a | -> x?
c: b.x | after b
""",
    ),
    Row(
        "bound perhaps, and nothing above",
        """
# %% step:a
import sys
if sys.argv:
    x = 2
# %% step:b prev:a
try:
    print(x)
except NameError:
    pass
""",
        """
a: -> x?
b: a.x | after a
""",
    ),
    Row(
        "changed in place",
        """
# %% step:a
x = [1]
# %% step:b prev:a
x.append(2)
# %% step:c prev:b
print(x)
""",
        """
a: -> x
b: a.x | after a | -> x
c: b.x | after b
""",
    ),
    Row(
        "perhaps changed",
        """
# %% step:a
from lib import load
x = load()
# %% step:b prev:a
x.frobnicate()
# %% step:c prev:b
print(x)
""",
        """
a: -> x
b: a.x | after a | -> x
c: b.x | after b
""",
    ),
    Row(
        "perhaps changed beside a reader",
        """
# %% step:a
from lib import load
x = load()
# %% step:b prev:a
x.frobnicate()
# %% step:c prev:a
print(x)
""",
        """
a: -> x
b: a.x | after a | guards x
c: a.x | after a
""",
    ),
    Row(
        "changed by two beside each other",
        """
# %% step:a
x = [1]
# %% step:b prev:a
x.append(2)
# %% step:c prev:a
x.append(3)
# %% step:d prev:b:c
print(x)
""",
        """
a: -> x
b: a.x | after a
c: a.x | after a | -> x
d: c.x | after b c
""",
        "KC207 KC204",
    ),
    Row(
        "the tag changes",
        """
# %% step:a
x = [1]
# %% step:b prev:a changes:x
print(x)
# %% step:c prev:b
print(x)
""",
        """
a: -> x
b: a.x | after a | -> x
c: b.x | after b
""",
    ),
    Row(
        "estimators fitted beside each other",
        """
# %% imports
from sklearn.svm import SVC
# %% step:a
X, y = [[1], [2]], [0, 1]
# %% step:b prev:a
b = SVC().fit(X, y)
# %% step:c prev:a
c = SVC().fit(X, y)
# %% step:d prev:b:c
print(b, c, X)
""",
        """
a: -> X y
b: a.X a.y | after a | takes imports | -> b
c: a.X a.y | after a | takes imports | -> c
d: a.X b.b c.c | after b c
""",
    ),
    Row(
        "a function of a step",
        """
# %% step:a
k = 2
def f(x):
    return x * k
# %% step:b prev:a
print(f(1))
""",
        """
a: -> k
b: a.k | after a | definitions f
""",
    ),
    Row(
        "a default is loaded early",
        """
# %% step:a
k = 2
def f(x=k):
    return x
# %% step:b prev:a
print(f())
""",
        """
a: -> k
b: a.k! | after a | definitions f
""",
    ),
    Row(
        "a class and its instance",
        """
# %% step:a
class A:
    pass
o = A()
# %% step:b prev:a
print(o)
""",
        """
a: -> o
b: a.o | after a | definitions A
""",
    ),
    Row(
        "an import of a step",
        """
# %% step:a
import math as m
# %% step:b prev:a
print(m.pi)
""",
        """
a:
b: after a | definitions m
""",
    ),
    Row(
        "late binding",
        """
# %% step:a
def f():
    return k
# %% step:b prev:a
k = 3
# %% step:c prev:b
print(f())
""",
        """
a:
b: after a | -> k
c: b.k | after b | definitions f
""",
    ),
    Row(
        "shared cells as needed",
        """
# %% imports
import math, json
# %% functions
def f():
    return math.pi
def g():
    return 1
# %% step:a
f()
# %% step:b
g()
""",
        """
a: takes imports functions.f
b: takes functions.g
""",
    ),
    Row(
        "effects of shared cells in every step",
        """
# %% functions
import random
random.seed(1)
c = 2
# %% step:a
print(1)
""",
        """
a: takes functions.random functions._random_state
""",
    ),
    Row(
        "a shared list that a step changes",
        """
# %% functions
seen = []
# %% step:a
seen.append(1)
# %% step:b prev:a
print(seen)
""",
        """
a: takes functions.seen | -> seen
b: a.seen | after a
""",
    ),
    Row(
        "parameters as needed",
        """
# %% pipeline-parameters
n = 1
m = 2
# %% step:a
print(n)
# %% step:b
print(m)
""",
        """
a: parameters n
b: parameters m
""",
    ),
    Row(
        "a parameter that a step rebinds",
        """
# %% pipeline-parameters
n = 1
# %% step:a
n = n + 1
# %% step:b prev:a
print(n)
# %% step:c
print(n)
""",
        """
a: parameters n | -> n
b: a.n | after a
c: a.n | after a
""",
    ),
    Row(
        "a parameter in a function",
        """
# %% pipeline-parameters
n = 1
# %% functions
def f():
    return n
# %% step:a
f()
""",
        """
a: parameters n | takes functions.f
""",
    ),
    Row(
        "metrics read at the end",
        """
# %% step:a
acc = 1
# %% step:b prev:a
print(acc)
# %% pipeline-metrics
acc
""",
        """
a: -> acc
b: a.acc | after a
""",
    ),
    Row(
        "a builtin's name",
        """
# %% step:a
max = 3
# %% step:b prev:a
print(max)
# %% step:c
print(max(1, 2))
""",
        """
a: -> max
b: a.max | after a
c: a.max | after a
""",
    ),
    Row(
        "nothing defines it",
        """
# %% step:a
print(undefined)
""",
        """
a:
""",
        "KC201",
    ),
    Row(
        "not above",
        """
# %% step:a
x = 1
# %% step:b
print(2)
# %% step:c prev:b
print(x)
""",
        """
a:
b:
c: after b
""",
        "KC202",
    ),
    Row(
        "bound further down",
        """
# %% step:a
print(x)
# %% step:b
x = 1
""",
        """
a:
b:
""",
        "KC203",
    ),
    Row(
        "two writers",
        """
# %% step:a
x = 1
# %% step:b
x = 2
# %% step:c prev:a:b
print(x)
""",
        """
a:
b: -> x
c: b.x | after a b
""",
        "KC204",
    ),
    Row(
        "deleted",
        """
# %% step:a
x = 1
# %% step:b prev:a
del x
# %% step:c prev:b
print(x)
""",
        """
a: -> x
b: a.x | after a
c: after b
""",
        "KC205",
    ),
    Row(
        "the version of a sibling",
        """
# %% step:a
x = 1
# %% step:b prev:a
x = 2
# %% step:c prev:a
print(x)
""",
        """
a: -> x
b: after a
c: a.x | after a
""",
        "KC207",
    ),
    Row(
        "a shared cell reads a step",
        """
# %% functions
y = x
# %% step:a
x = 1
""",
        """
a:
""",
        "KC206",
    ),
    Row(
        "state in a function",
        """
# %% step:a
def f():
    f.n += 1
f.n = 0
# %% step:b prev:a
f()
# %% step:c prev:b
f()
""",
        """
a:
b: after a | definitions f
c: after b | definitions f
""",
        "KC208",
    ),
    Row(
        "a default that is rebound",
        """
# %% step:a
k = 1
def f(x=k):
    return x
k = 2
# %% step:b prev:a
print(f(), k)
""",
        """
a: -> k
b: a.k | after a | definitions f
""",
    ),
    Row(
        "a star import",
        """
# %% step:a
from math import *
print(pi)
""",
        """
a:
""",
        "KC210",
    ),
    Row(
        "two definitions of one name",
        """
# %% step:a
class A:
    n = 1
o = A()
# %% step:b prev:a
class A:
    n = 2
p = A()
# %% step:c prev:b
print(o, p)
""",
        """
a: -> o
b: after a | -> p
c: a.o b.p | after b | definitions A
""",
    ),
    Row(
        "random state goes on",
        """
# %% step:a
import random
random.seed(1)
# %% step:b prev:a
print(random.random())
""",
        """
a:
b: after a | definitions random
""",
    ),
    Row(
        "random branches",
        """
# %% step:a
import random
random.seed(1)
# %% step:b prev:a
print(random.random())
# %% step:c prev:a
print(random.random())
""",
        """
a:
b: after a | definitions random
c: after a | definitions random
""",
        "KC214",
    ),
    Row(
        "a lost bond",
        """
# %% step:a
x = [1]
y = x
# %% step:b prev:a
x.append(2)
# %% step:c prev:b
print(x, y)
""",
        """
a: -> x y
b: a.x | after a | -> x
c: b.x a.y | after b
""",
        "KC218",
    ),
    Row(
        "a list made anew shares no more than its elements",
        """
# %% step:a
x = [1]
y = x
# %% step:b prev:a
x = x + [2]
# %% step:c prev:b
x.append(3)
# %% step:d prev:c
print(x, y)
""",
        """
a: -> x y
b: a.x | after a | -> x
c: b.x | after b | -> x
d: c.x a.y | after c
""",
    ),
    Row(
        "a bond with the keys of a dict",
        """
# %% functions
class Node: pass
# %% step:a
root, label = Node(), str(1)
names = {(root, 1): label}
# %% step:b prev:a
root.v = 2
# %% step:c prev:b
print({n for n in names}, root, label)
""",
        """
a: takes functions.Node | -> label names root
b: a.root | after a | takes functions.Node | -> root
c: a.label a.names b.root | after b | takes functions.Node
""",
        "KC218",
    ),
    Row(
        "the environment",
        """
# %% step:a
import os
os.environ['K'] = '1'
# %% step:b prev:a
print(os.environ['K'])
""",
        """
a:
b: after a | definitions os
""",
        "KC215",
    ),
    Row(
        "a file",
        """
# %% step:a
open('f.txt', 'w').write('x')
# %% step:b
print(open('f.txt').read())
""",
        """
a:
b:
""",
        "KC216",
    ),
    Row(
        "a scattered step",
        """
# %% step:a
x = 1
# %% step:b prev:a
y = x
# %% step:a
z = y
# %% step:c prev:b
print(y, x)
""",
        """
a: -> x
b: a.x | after a | -> y
c: a.x b.y | after b
""",
        "KC203",
    ),
    Row(
        "dynamic names",
        """
# %% step:a
name = 'x'
globals()[name] = 1
# %% step:b prev:a
print(globals()['x'])
""",
        """
a:
b: after a
""",
        "KC217 KC201",
    ),
]
