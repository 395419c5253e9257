"""`together:a,b`: the cure for two names of one object across a step boundary."""

from __future__ import annotations

from cases.case import LOUD, REFUSED, RIGHT, WARNED, Case

BOTH = {"a": "s", "b": "s"}

CASES = [
    Case(
        "a part and what holds it, the part is changed later",
        RIGHT,
        """
# %% step:s together:a,b
a = []
b = {"x": a}
# %% step:t prev:s
a.append(1)
# %% step:u prev:t
print(b)
""",
        inputs={"t": BOTH, "u": {"a": "t", "b": "t"}},
        prints={"u": "{'x': [1]}\n"},
        quiet=True,
    ),
    Case(
        "the same without the tag is warned of, with the cure",
        WARNED,
        """
# %% step:s
a = []
b = {"x": a}
# %% step:t prev:s
a.append(1)
# %% step:u prev:t
print(b)
""",
        mentions=("`together:b,a`", "`s`"),
    ),
    Case(
        "what holds it is changed later, without prev tags",
        RIGHT,
        """
# %% step:s together:a,b
a = [1]
b = {"x": a}
# %% step:t
b["y"] = 2
# %% step:u
print(a)
# %% step:v
a.append(3)
# %% step:w
print(a, b)
""",
        inputs={"t": BOTH, "u": {"a": "t", "b": "t"}, "v": {"a": "t", "b": "t"}, "w": {"a": "v", "b": "v"}},
        after={"t": ["s"], "u": ["t"], "v": ["t"], "w": ["v"]},
        quiet=True,
    ),
    Case(
        "a change that is only possible orders no step, but is not silent",
        LOUD,
        """
# %% step:s together:a,b
a = [1]
b = {"x": a}
# %% step:t
b["x"].append(2)
# %% step:u
print(a)
""",
        mentions=("changes:a", "prev:"),
    ),
    Case(
        "as the message says, it is settled by a tag",
        RIGHT,
        """
# %% step:s together:a,b
a = [1]
b = {"x": a}
# %% step:t changes:b
b["x"].append(2)
# %% step:u
print(a)
""",
        inputs={"u": {"a": "t", "b": "t"}},
        quiet=True,
    ),
    Case(
        "two names, one bound in the step above: the step with the tag hands both on",
        RIGHT,
        """
# %% step:r
base = {"k": 1}
# %% step:s prev:r together:view,base
view = base
# %% step:t prev:s
base["k"] = 2
# %% step:u prev:t
print(view)
""",
        inputs={"t": {"base": "s", "view": "s"}, "u": {"base": "t", "view": "t"}},
        quiet=True,
    ),
    Case(
        "both from above: only the tag makes the step hand them on",
        RIGHT,
        """
# %% step:q
a = [1]
# %% step:r
b = [2]
# %% step:s together:a,b
print(a is b)
# %% step:t
print(a, b)
""",
        inputs={"s": {"a": "q", "b": "r"}, "t": BOTH},
        quiet=True,
    ),
    Case(
        "a step that may change one hands both on",
        RIGHT,
        """
# %% functions
def perhaps(x):
    x.append(9)
# %% step:s together:a,b
a = [1]
b = (a, "label")
# %% step:t prev:s
for action in [perhaps]:
    action(a)
# %% step:u prev:t
print(b)
""",
        quiet=True,
    ),
    Case(
        "a name that is bound to something else leaves the company",
        RIGHT,
        """
# %% step:s together:a,b
a = [1]
b = {"x": a}
# %% step:t prev:s
a = [5]
# %% step:u prev:t
a.append(6)
# %% step:v prev:u
print(b, a)
""",
        inputs={"t": {}, "u": {"a": "t"}, "v": {"a": "u", "b": "s"}},
        quiet=True,
    ),
    Case(
        "a name that is perhaps bound to something else stays",
        RIGHT,
        """
# %% step:s together:a,b
a = [1]
b = {"x": a}
n = 0
# %% step:t prev:s
if n > 1:
    a = [5]
# %% step:u prev:t
a.append(6)
# %% step:v prev:u
print(b, a)
""",
        quiet=True,
    ),
    Case(
        "it was bound to something else after it was changed",
        RIGHT,
        """
# %% step:s together:a,b
a = [1]
b = {"x": a}
# %% step:t prev:s
a.append(2)
a = None
# %% step:u prev:t
print(b, a)
""",
        inputs={"u": {"a": "t", "b": "t"}},
        quiet=True,
    ),
    Case(
        "changed in place by an operator that also binds",
        RIGHT,
        """
# %% step:s together:a,b
a = [1]
b = a
# %% step:t prev:s
a += [2]
# %% step:u prev:t
b.append(3)
# %% step:v prev:u
print(a, b, a is b)
""",
        quiet=True,
    ),
    Case(
        "a name that may not be there",
        RIGHT,
        """
# %% pipeline-parameters
n = 0
# %% step:s together:a,b
a = [1]
if n > 5:
    b = {"x": a}
# %% step:t prev:s
a.append(2)
# %% step:u prev:t
print(a)
try:
    print(b)
except NameError:
    print("none")
""",
        quiet=True,
    ),
    Case(
        "the same where it is there",
        RIGHT,
        """
# %% pipeline-parameters
n = 0
# %% step:s together:a,b
a = [1]
if n > 5:
    b = {"x": a}
# %% step:t prev:s
a.append(2)
# %% step:u prev:t
print(a)
try:
    print(b)
except NameError:
    print("none")
""",
        arguments={"n": 9},
        quiet=True,
    ),
    Case(
        "three names in two tags are one company",
        RIGHT,
        """
# %% step:s together:a,b together:b,c
a = [1]
b = {"x": a}
c = [b]
# %% step:t prev:s
a.append(2)
# %% step:u prev:t
print(c)
""",
        inputs={"u": {"a": "t", "b": "t", "c": "t"}},
        quiet=True,
    ),
    Case(
        "companies of two steps with a common name are one",
        RIGHT,
        """
# %% step:r together:a,b
a = [1]
b = {"x": a}
# %% step:s prev:r together:b,c
c = [b]
# %% step:t prev:s
a.append(2)
# %% step:u prev:t
print(c)
""",
        inputs={"t": {"a": "s", "b": "s", "c": "s"}, "u": {"a": "t", "b": "t", "c": "t"}},
        quiet=True,
    ),
    Case(
        "a view of an array",
        RIGHT,
        """
# %% imports
import numpy as np
# %% step:s together:whole,part
whole = np.zeros(50_000)
part = whole[:3]
# %% step:t prev:s
part[0] = 7
# %% step:u prev:t
print(whole.sum())
""",
        quiet=True,
    ),
    Case(
        "objects of a class of the notebook",
        RIGHT,
        """
# %% step:s together:nodes,first
class Node:
    def __init__(self):
        self.n = 0
first = Node()
nodes = [first]
# %% step:t prev:s
first.n = 5
# %% step:u prev:t
print(nodes[0].n)
""",
        quiet=True,
    ),
    Case(
        "what a later step puts into one needs its class where only the other is named",
        RIGHT,
        """
# %% step:s together:a,b
a = []
b = {"x": a}
# %% step:t prev:s
class Late:
    n = 3
a.append(Late())
# %% step:u prev:t
a = None
# %% step:v prev:u
print(b["x"][0].n)
""",
        quiet=True,
    ),
    Case(
        "through a function that reads one of them",
        RIGHT,
        """
# %% functions
def add(x):
    a.append(x)
# %% step:s together:a,b
a = []
b = {"x": a}
# %% step:t prev:s
add(4)
# %% step:u prev:t
print(b)
""",
        quiet=True,
    ),
    Case(
        "a variable of a functions cell",
        RIGHT,
        """
# %% functions
registry = {}
# %% step:s together:registry,alias
alias = registry
# %% step:t prev:s
alias["k"] = 1
# %% step:u prev:t
print(registry)
""",
        quiet=True,
    ),
    Case(
        "another name for one of them, made later, has no bond with the rest",
        WARNED,
        """
# %% step:s together:m,l
l = [1]
m = [l]
# %% step:t prev:s
k = l
# %% step:u prev:t
l = None
# %% step:v prev:u
k.append(4)
print(m)
""",
        mentions=("`together:k,m`", "`t`"),
    ),
    Case(
        "until it is told",
        RIGHT,
        """
# %% step:s together:m,l
l = [1]
m = [l]
# %% step:t prev:s together:k,m
k = l
# %% step:u prev:t
l = None
# %% step:v prev:u
k.append(4)
print(m)
""",
        quiet=True,
    ),
    Case(
        "two branches that change one each are two that change the same",
        REFUSED,
        """
# %% step:s together:a,b
a = []
b = {"x": a}
# %% step:t prev:s
a.append(1)
# %% step:u prev:s
b["y"] = 2
# %% step:v prev:t:u
print(a, b)
""",
        mentions=("both bind or change",),
    ),
    Case(
        "branches that only read stay side by side",
        RIGHT,
        """
# %% step:s together:a,b
a = [1]
b = {"x": a}
# %% step:t
print(a)
# %% step:u
print(b)
""",
        parallel=(("t", "u"),),
        quiet=True,
    ),
    Case(
        "a name that the step does not have",
        REFUSED,
        """
# %% step:s together:a,bb
a = [1]
b = {"x": a}
# %% step:t
print(a)
""",
        mentions=("`together:a,bb`", "did you mean `b`?"),
    ),
    Case(
        "a function is no variable",
        REFUSED,
        """
# %% step:s together:a,f
a = [1]
def f():
    return a
# %% step:t
print(f())
""",
        mentions=("a function, a class or an import",),
    ),
    Case(
        "an import is no variable",
        REFUSED,
        """
# %% imports
import math
# %% step:s together:a,math
a = [1]
# %% step:t
print(a, math.pi)
""",
        mentions=("a function, a class or an import",),
    ),
    Case(
        "a name that the step deletes",
        REFUSED,
        """
# %% step:s together:a,b
a = [1]
b = a
del b
# %% step:t
print(a)
""",
        mentions=("deletes it",),
    ),
    Case(
        "a name in another spelling of Unicode",
        RIGHT,
        """
# %% step:s together:ﬁrst,b
first = [1]
b = {"x": first}
# %% step:t prev:s
first.append(2)
# %% step:u prev:t
print(b)
""",
        quiet=True,
    ),
]
