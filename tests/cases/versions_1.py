"""The right version: which step a variable comes from. Steps without `prev:`: the edges come from the data."""

from __future__ import annotations

from cases.case import LOUD, REFUSED, RIGHT, WARNED, Case

CASES = [
    Case(
        "a shortcut edge beside a longer path",
        RIGHT,
        """
# %% step:a
x = 1
print(x)
# %% step:b prev:a
x = x + 1
print(x)
# %% step:c prev:a:b
print(x)
""",
        inputs={"b": {"x": "a"}, "c": {"x": "b"}},
    ),
    Case(
        "a last writer farther away than an older one",
        RIGHT,
        """
# %% step:a
x = "a"
# %% step:b prev:a
x = "b"
# %% step:c prev:b
y = 1
# %% step:d prev:c
z = 2
# %% step:e prev:d prev:a
print(x, y, z)
""",
        inputs={"e": {"x": "b", "y": "c", "z": "d"}},
    ),
    Case(
        "the older writer is a direct predecessor",
        RIGHT,
        """
# %% step:load
df = [3, 1]
# %% step:sort prev:load
df = sorted(df)
# %% step:count prev:sort
n = len(df)
# %% step:report prev:load prev:count
print(df, n)
""",
        inputs={"report": {"df": "sort", "n": "count"}, "count": {"df": "sort"}},
    ),
    Case(
        "a diamond with one writer",
        RIGHT,
        """
# %% step:a
x, y = 1, 1
# %% step:c prev:a
z = x + 1
print(z)
# %% step:b prev:a
x = 50
print(x)
# %% step:d prev:b prev:c
print(x, y, z)
""",
        inputs={"c": {"x": "a"}, "d": {"x": "b", "y": "a", "z": "c"}},
        parallel=(("b", "c"),),
    ),
    Case(
        "a diamond where the reader stands below the writer",
        RIGHT,
        """
# %% step:a
x = 1
# %% step:b prev:a
x = 50
print(x)
# %% step:c prev:a
z = x + 1
print(z)
# %% step:d prev:b prev:c
print(x, z)
""",
        also=(
            WARNED,
            REFUSED,
        ),
        prints={"c": "2", "d": "50 2"},
        ignore=("z",),
        why=(
            "c is not below b, so it has a's x (5.4: exactly those edges; 5.5) and prints 2, where top to "
            "bottom prints 51"
        ),
    ),
    Case(
        "two parallel writers and a join",
        REFUSED,
        """
# %% step:a
x = 0
# %% step:b prev:a
x = 1
# %% step:c prev:a
x = 2
# %% step:d prev:b prev:c
print(x)
""",
        mentions=("x", "b", "c"),
    ),
    Case(
        "two parallel writers and a join that binds it anew",
        RIGHT,
        """
# %% step:a
x = 0
# %% step:b prev:a
x = 1
print(x)
# %% step:c prev:a
x = 2
print(x)
# %% step:d prev:b prev:c
x = 3
print(x)
# %% step:e prev:d
print(x)
""",
        inputs={"d": {}, "e": {"x": "d"}},
        quiet=True,
    ),
    Case(
        "two parallel writers and a join that does not read it",
        RIGHT,
        """
# %% step:a
x = 0
# %% step:b prev:a
x = 1
p = x
# %% step:c prev:a
x = 2
q = x
# %% step:d prev:b prev:c
print(p, q)
""",
        inputs={"d": {"p": "b", "q": "c"}},
        why="loop variables and temporaries like i or tmp are written everywhere",
    ),
    Case(
        "two parallel writers where a later chain settles it",
        RIGHT,
        """
# %% step:a
x = 0
# %% step:b prev:a
x = 1
# %% step:c prev:a
x = 2
print(x)
# %% step:c2 prev:b prev:c
x = 7
# %% step:d prev:b prev:c prev:c2
print(x)
""",
        inputs={"d": {"x": "c2"}},
        why="c2 is below both writers: it is the last ancestor",
    ),
    Case(
        "parallel definite changes in place and a join",
        REFUSED,
        """
# %% step:a
d = {}
# %% step:b prev:a
d["b"] = 1
# %% step:c prev:a
d["c"] = 2
# %% step:e prev:b prev:c
print(d)
""",
        mentions=("d", "b", "c"),
    ),
    Case(
        "parallel changes through one helper and a join",
        REFUSED,
        """
# %% functions
def put(box, k):
    box[k] = 1
# %% step:a
d = {}
# %% step:b prev:a
put(d, "b")
# %% step:c prev:a
put(d, "c")
# %% step:e prev:b prev:c
print(d)
""",
        also=(LOUD,),
        mentions=("d",),
        why="5.6: a helper of the notebook that changes its parameter is definite",
    ),
    Case(
        "one parallel branch changes and its sibling reads",
        RIGHT,
        """
# %% step:a
d = {"n": 1}
# %% step:c prev:a
print(d["n"])
# %% step:b prev:a
d["n"] = 2
print(d["n"])
# %% step:e prev:b prev:c
print(d)
""",
        inputs={"b": {"d": "a"}, "c": {"d": "a"}, "e": {"d": "b"}},
    ),
    Case(
        "a writer on one branch, conditional writer on the other",
        REFUSED,
        """
# %% step:a
x, flag = 0, True
# %% step:b prev:a
x = 1
# %% step:c prev:a
if flag:
    x = 2
# %% step:d prev:b prev:c
print(x)
""",
        also=(LOUD,),
        mentions=("x",),
        why="both may be the last writer; the notebook says 2, taking b's 1 would be silently wrong",
    ),
    Case(
        "a step split over scattered cells",
        RIGHT,
        """
# %% step:a
x = 1
# %% step:b prev:a
y = x + 1
print(y)
# %% step:a
w = x * 10
print(w)
# %% step:b
print(y + w)
""",
        inputs={"b": {"x": "a", "w": "a"}},
    ),
    Case(
        "a scattered step changes what another has read in between",
        REFUSED,
        """
# %% step:a
x = 1
# %% step:b prev:a
y = x + 1
print(y)
# %% step:a
x = 100
print(x)
# %% step:c prev:b
print(x, y)
""",
        also=(WARNED,),
        mentions=("x",),
        why="top to bottom b sees 1; a runs whole before b, so b would see 100: never in silence",
    ),
    Case(
        "scattered cells that would need two steps to wait for each other",
        REFUSED,
        """
# %% step:a
x = 1
# %% step:b
y = x + 1
# %% step:a
print(y)
""",
        mentions=("y",),
        why="without prev: a reads b's y, b reads a's x: a cycle",
    ),
    Case(
        "a parameter that a step reassigns",
        RIGHT,
        """
# %% pipeline-parameters
n = 1
# %% step:a
print(n)
# %% step:s prev:a
print("sibling", n)
# %% step:b prev:a
n = n + 10
print(n)
# %% step:c prev:b
print(n)
""",
        inputs={"a": {}, "s": {}, "b": {}, "c": {"n": "b"}},
        defaults={"n": 1},
    ),
    Case(
        "a parameter that a step reassigns, overridden",
        RIGHT,
        """
# %% pipeline-parameters
n = 1
# %% step:a
print(n)
# %% step:s prev:a
print("sibling", n)
# %% step:b prev:a
n = n + 10
print(n)
# %% step:c prev:b
print(n)
""",
        inputs={"c": {"n": "b"}},
        arguments={"n": 7},
    ),
    Case(
        "a sibling below the step that reassigns a parameter",
        RIGHT,
        """
# %% pipeline-parameters
n = 1
# %% step:a
print("a", n)
# %% step:b prev:a
n = 5
print("b", n)
# %% step:s prev:a
print("s", n)
""",
        also=(WARNED,),
        inputs={"s": {}},
        prints={"s": "s 1"},
        why="issue 3, family 5: its descendants see the new value, its siblings the parameter",
    ),
    Case(
        "a list parameter that a step changes in place",
        RIGHT,
        """
# %% pipeline-parameters
cols = ["a"]
# %% step:one
cols.append("b")
print(cols)
# %% step:two prev:one
print(cols)
# %% step:three prev:two
cols.append("c")
print(cols)
# %% step:four prev:three
print(cols)
""",
        inputs={"one": {}, "two": {"cols": "one"}, "three": {"cols": "one"}, "four": {"cols": "three"}},
    ),
    Case(
        "a parameter rebound under a condition",
        RIGHT,
        """
# %% pipeline-parameters
n = 4
# %% step:a
if n > 3:
    n = 3
print(n)
# %% step:b prev:a
print(n)
""",
        inputs={"b": {"n": "a"}},
        arguments={"n": 2},
    ),
    Case(
        "a variable that changes its type from step to step",
        RIGHT,
        """
# %% imports
import numpy as np
# %% step:a
x = "1,2,3"
print(x)
# %% step:b prev:a
x = x.split(",")
print(x)
# %% step:c prev:b
x = np.array(x, dtype=int)
print(x)
# %% step:d prev:c
x = {"sum": int(x.sum())}
print(x)
# %% step:e prev:d
x = None
print(x)
# %% step:f prev:e
print(x is None)
""",
        inputs={"b": {"x": "a"}, "c": {"x": "b"}, "d": {"x": "c"}, "f": {"x": "e"}},
    ),
    Case(
        "None, False and empty values cross as themselves",
        RIGHT,
        """
# %% step:a
n, f, z, e, s = None, False, 0, [], ""
# %% step:b prev:a
print(n, f, z, e, repr(s))
""",
        inputs={"b": {"n": "a", "f": "a", "z": "a", "e": "a", "s": "a"}},
    ),
    Case(
        "a long chain hands on from its first step",
        RIGHT,
        """
# %% step:s1
x = 1
# %% step:s2 prev:s1
a = 2
# %% step:s3 prev:s2
b = 3
# %% step:s4 prev:s3
c = 4
# %% step:s5 prev:s4
print(x, a, b, c)
""",
        inputs={"s5": {"x": "s1", "a": "s2", "b": "s3", "c": "s4"}},
    ),
    Case(
        "reading a variable whose producer is no ancestor",
        REFUSED,
        """
# %% step:load
x = 1
# %% step:other
y = 2
# %% step:use prev:other
print(x, y)
""",
        mentions=("x", "prev:load"),
    ),
    Case(
        "reading a sibling's variable",
        REFUSED,
        """
# %% step:a
x = 1
# %% step:b prev:a
y = x
# %% step:c prev:a
print(y)
""",
        mentions=("y", "prev:b"),
    ),
    Case(
        "an ordering edge that carries no data is kept",
        RIGHT,
        """
# %% step:migrate
print("migrating")
# %% step:read prev:migrate
x = 1
print(x)
# %% step:use prev:read
print(x)
""",
        after={"read": ["migrate"], "use": ["read"]},
    ),
    Case(
        "a definition is overwritten by a variable",
        RIGHT,
        """
# %% step:a
def result():
    return 1
print(result())
# %% step:b prev:a
result = result()
print(result)
# %% step:c prev:b
print(result)
""",
        inputs={"c": {"result": "b"}},
    ),
]
