"""Pipeline parameters: types, defaults, overrides. Pipeline metrics."""

from __future__ import annotations

from cases.case import LOUD, REFUSED, RIGHT, WARNED, Case

CASES = [
    Case(
        "a parameter that is no literal",
        REFUSED,
        """
# %% pipeline-parameters
n = len([1, 2])
# %% step:s
print(n)
""",
        mentions=("n",),
    ),
    Case(
        "an import or a print in the parameter cell",
        REFUSED,
        """
# %% pipeline-parameters
import os
n = 2
print(n)
# %% step:s
print(n, os.sep)
""",
        also=(
            RIGHT,
            WARNED,
        ),
    ),
    Case(
        "an integer beyond 2**53",
        REFUSED,
        """
# %% pipeline-parameters
n = 2**53 + 1
# %% step:s
print(n)
""",
        mentions=("n",),
    ),
    Case(
        "a big integer inside a list",
        REFUSED,
        """
# %% pipeline-parameters
ids = [1, 9007199254740993]
# %% step:s
print(ids)
""",
        mentions=("ids",),
        why="KFP carries numbers in lists as doubles, too",
    ),
    Case(
        "object keys that are no strings",
        REFUSED,
        """
# %% pipeline-parameters
grid = {1: "a", 2: "b"}
# %% step:s
print(grid[1])
""",
        mentions=("grid",),
    ),
    Case(
        "nested object keys that are no strings",
        REFUSED,
        """
# %% pipeline-parameters
grid = {"a": [{None: 1}]}
# %% step:s
print(grid)
""",
        mentions=("grid",),
    ),
    Case(
        "a tuple or a set as parameter",
        REFUSED,
        """
# %% pipeline-parameters
shape = (2, 3)
# %% step:s
print(shape)
""",
        also=(
            RIGHT,
            WARNED,
        ),
        mentions=("shape",),
        why="JSON has no tuple: (2, 3) must not come back as [2, 3]",
    ),
    Case(
        "infinity and not a number as parameters",
        REFUSED,
        """
# %% pipeline-parameters
best = 1e999
# %% step:s
print(best)
""",
        also=(RIGHT,),
        mentions=("best",),
        why="strict JSON has no Infinity",
    ),
    Case(
        "bytes and complex as parameters",
        REFUSED,
        """
# %% pipeline-parameters
raw = b"x"
z = 1j
# %% step:s
print(raw, z)
""",
        mentions=("raw", "z"),
    ),
    Case(
        "a float with many digits and a tiny one",
        RIGHT,
        """
# %% pipeline-parameters
x = 0.1234567890123456789
y = 5e-324
z = 1.7976931348623157e308
w = 123456789.123456789
# %% step:s
print(repr(x), repr(y), repr(z), repr(w))
""",
        inputs={"s": {}},
    ),
    Case(
        "a multi-line string and a long list",
        RIGHT,
        '''
# %% pipeline-parameters
query = """select *
  from t -- "x"
 where a = 'b'
"""
cols = [
    "a",  # first
    "b",
]
# %% step:s
print(repr(query), cols)
''',
        inputs={"s": {}},
    ),
    Case(
        "a parameter deleted by a step",
        RIGHT,
        """
# %% pipeline-parameters
n = 2
# %% step:a
print(n)
del n
# %% step:b prev:a
n = 3
print(n)
""",
        inputs={"b": {}},
    ),
    Case(
        "a parameter used as a loop target",
        RIGHT,
        """
# %% pipeline-parameters
n = 2
# %% step:a
for n in range(5):
    pass
print(n)
# %% step:b prev:a
print(n)
""",
        inputs={"b": {"n": "a"}},
    ),
    Case(
        "a parameter and a function's argument of one name",
        RIGHT,
        """
# %% pipeline-parameters
alpha = 0.5
# %% functions
def fit(alpha=1):
    return alpha
# %% step:a
print(fit(), fit(alpha), fit(alpha=2))
# %% step:b prev:a
print(fit())
""",
        inputs={"a": {}, "b": {}},
    ),
    Case(
        "metrics on the step that computes them",
        RIGHT,
        """
# %% step:train
acc = 0.75
loss = 2
print(acc)
# %% step:test prev:train
f1 = acc / 2
print(f1)
# %% pipeline-metrics
acc
f1
print(loss)
""",
        metrics={"train": {"acc": 0.75, "loss": 2}, "test": {"f1": 0.375}},
    ),
    Case(
        "metrics as numpy scalars, booleans and arrays of one",
        RIGHT,
        """
# %% imports
import numpy as np
# %% step:train
a1 = np.float32(0.5)
a2 = np.int64(7)
a3 = np.mean([1.0, 2.0])
a4 = True
print(a1, a2, a3)
# %% pipeline-metrics
a1
a2
a3
a4
""",
        metrics={"train": {"a1": 0.5, "a2": 7, "a3": 1.5}},
    ),
    Case(
        "a metric that is not a number",
        RIGHT,
        """
# %% step:train
score = float("nan")
loss = float("inf")
ok = 0.5
print(score, loss)
# %% pipeline-metrics
score
loss
ok
# %% step:after prev:train
print(score, ok)
""",
        metrics={"train": {"ok": 0.5}},
        why="strict JSON has no NaN: handled, and the step must not fail",
    ),
    Case(
        "a metric rebound by a later step",
        RIGHT,
        """
# %% step:train
acc = 0.5
print(acc)
# %% step:tune prev:train
acc = 0.9
print(acc)
# %% pipeline-metrics
acc
""",
        metrics={"tune": {"acc": 0.9}},
        why="the notebook's acc at the metrics cell is tune's",
    ),
    Case(
        "a metric that no step computes",
        REFUSED,
        """
# %% step:train
accuracy = 0.5
print(accuracy)
# %% pipeline-metrics
acuracy
""",
        mentions=("acuracy",),
    ),
    Case(
        "a metric that is a text",
        LOUD,
        """
# %% step:train
acc = "good"
print(acc)
# %% pipeline-metrics
acc
""",
        also=(
            REFUSED,
            WARNED,
            RIGHT,
        ),
        mentions=("acc",),
        why=("scalar metrics are numbers; a text kept as metadata does no harm, a dropped one would need a word"),
    ),
    Case(
        "a metric that is computed in the metrics cell",
        RIGHT,
        """
# %% step:train
hits, n = 3, 4
print(hits)
# %% pipeline-metrics
print(hits / n)
""",
        also=(REFUSED,),
        why="names or print(name) only: understood or refused",
    ),
    Case(
        "a metric from a parameter",
        RIGHT,
        """
# %% pipeline-parameters
lr = 0.25
# %% step:train
acc = lr * 2
print(acc)
# %% pipeline-metrics
print(acc)
""",
        arguments={"lr": 0.5},
        metrics={"train": {"acc": 1.0}},
    ),
    Case(
        "a metric computed in two parallel steps",
        REFUSED,
        """
# %% step:a
x = 1
# %% step:b prev:a
acc = 1
# %% step:c prev:a
acc = 2
# %% pipeline-metrics
acc
""",
        also=(
            WARNED,
            RIGHT,
        ),
        mentions=("acc",),
        metrics={"c": {"acc": 2}},
        why=(
            "two parallel writers: refused, warned, or the notebook's last value (c's); b's alone would be "
            "silently wrong"
        ),
    ),
    Case(
        "a metric whose variable a later step changes only maybe",
        RIGHT,
        """
# %% step:a
best = 1.5
flag = False
# %% step:b prev:a
if flag:
    best = 9.0
print(best)
# %% pipeline-metrics
best
""",
        metrics={"b": {"best": 1.5}},
        why="the last value of best is what b ends with",
    ),
]
