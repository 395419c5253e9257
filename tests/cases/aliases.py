"""Two names for one object across a step boundary."""

from __future__ import annotations

from cases.case import LOUD, REFUSED, RIGHT, WARNED, Case

CASES = [
    Case(
        "two names of one list, one is changed later",
        WARNED,
        """
# %% step:a
first = [1]
second = first
# %% step:b prev:a
first.append(2)
print(first, second)
# %% step:c prev:b
print(first, second)
""",
        also=(
            RIGHT,
            REFUSED,
        ),
        mentions=("second",),
        why="rule 7",
    ),
    Case(
        "two names made in different steps",
        WARNED,
        """
# %% step:a
base = {"k": 1}
# %% step:b prev:a
view = base
print(len(view))
# %% step:c prev:b
base["k"] = 2
print(view)
""",
        also=(
            RIGHT,
            REFUSED,
        ),
        mentions=("view",),
        why="rule 7: `a = b`, then one is changed in a later step",
    ),
    Case(
        "two names, none is changed: no harm, right",
        RIGHT,
        """
# %% step:a
first = [1]
second = first
# %% step:b prev:a
print(first, second)
# %% step:c prev:b
print(first, second)
""",
        inputs={"b": {"first": "a", "second": "a"}, "c": {"first": "a", "second": "a"}},
    ),
    Case(
        "two names, one is rebound and not changed",
        RIGHT,
        """
# %% step:a
first = [1]
second = first
# %% step:b prev:a
first = first + [2]
print(first, second)
# %% step:c prev:b
print(first, second)
""",
        inputs={"b": {"first": "a", "second": "a"}, "c": {"first": "b", "second": "a"}},
    ),
    Case(
        "an element taken out and the list",
        WARNED,
        """
# %% step:a
rows = [{"v": 1}, {"v": 2}]
head = rows[0]
# %% step:b prev:a
head["v"] = 99
print(rows)
# %% step:c prev:b
print(rows, head)
""",
        also=(
            RIGHT,
            REFUSED,
        ),
        mentions=("rows",),
    ),
    Case(
        "a numpy view and its base",
        WARNED,
        """
# %% imports
import numpy as np
# %% step:a
arr = np.zeros(4)
half = arr[:2]
# %% step:b prev:a
half[:] = 7
print(arr)
# %% step:c prev:b
print(arr, half)
""",
        also=(
            RIGHT,
            REFUSED,
        ),
        mentions=("arr",),
    ),
    Case(
        "an object that holds another variable",
        WARNED,
        """
# %% step:a
config = {"lr": 0.1}
class Trainer:
    def __init__(self, cfg):
        self.cfg = cfg
trainer = Trainer(config)
# %% step:b prev:a
config["lr"] = 0.5
print(trainer.cfg["lr"])
# %% step:c prev:b
print(trainer.cfg, config)
""",
        also=(
            RIGHT,
            REFUSED,
            LOUD,
        ),
        mentions=("config",),
        why="found by the runtime: two outputs of a step share mutable state",
    ),
    Case(
        "a multiplied list shares its rows inside one value",
        RIGHT,
        """
# %% step:a
grid = [[0] * 2] * 2
pair = (grid, grid)
# %% step:b prev:a
grid[0][0] = 1
print(grid)
# %% step:c prev:b
print(grid)
""",
        inputs={"b": {"grid": "a"}, "c": {"grid": "b"}},
        why="sharing inside one value survives its pickle; `pair` is read nowhere",
    ),
    Case(
        "identity of a shared object in one step's inputs",
        WARNED,
        """
# %% step:a
a1 = [1]
b1 = a1
# %% step:b prev:a
print(a1 is b1)
""",
        also=(
            RIGHT,
            REFUSED,
        ),
        mentions=("b1",),
    ),
    Case(
        "chained assignment of one mutable",
        WARNED,
        """
# %% step:a
train = test = []
# %% step:b prev:a
train.append(1)
print(train, test)
# %% step:c prev:b
print(test)
""",
        also=(
            RIGHT,
            REFUSED,
        ),
        mentions=("test",),
    ),
    Case(
        "aliases through a function's return",
        WARNED,
        """
# %% functions
def prepare(d):
    d["ready"] = True
    return d
# %% step:a
raw = {"x": 1}
# %% step:b prev:a
done = prepare(raw)
print(done)
# %% step:c prev:b
done["x"] = 2
print(raw["x"])
# %% step:d prev:c
print(raw, done)
""",
        also=(
            RIGHT,
            REFUSED,
            LOUD,
        ),
        mentions=("raw",),
    ),
    Case(
        "a fitted model and its pipeline share an estimator",
        WARNED,
        """
# %% imports
import numpy as np
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
# %% step:a
X = np.array([[0.0], [1.0], [2.0]])
y = np.array([0.0, 1.0, 2.0])
scaler = StandardScaler()
pipe = make_pipeline(scaler, LinearRegression())
# %% step:b prev:a
pipe.fit(X, y)
print(pipe.predict(X).round(2))
# %% step:c prev:b
print(hasattr(scaler, "mean_"), pipe.predict(X).round(2))
""",
        also=(
            RIGHT,
            REFUSED,
            LOUD,
        ),
        mentions=("scaler",),
        why="make_pipeline keeps the same scaler; fit fits it",
    ),
    Case(
        "a model kept in a list of models",
        WARNED,
        """
# %% imports
import numpy as np
from sklearn.tree import DecisionTreeRegressor
# %% step:a
m1 = DecisionTreeRegressor(random_state=0)
models = {"m1": m1}
X = np.array([[0.0], [1.0]])
y = np.array([0.0, 1.0])
# %% step:b prev:a
for name, m in models.items():
    m.fit(X, y)
print(sorted(models))
# %% step:c prev:b
print(hasattr(m1, "tree_"))
""",
        also=(
            RIGHT,
            REFUSED,
            LOUD,
        ),
        mentions=("m1",),
    ),
    Case(
        "an alias of a parameter",
        RIGHT,
        """
# %% pipeline-parameters
cols = ["a"]
# %% step:a
mine = cols
mine.append("b")
print(cols)
# %% step:b prev:a
print(cols, mine)
""",
        inputs={"b": {"cols": "a", "mine": "a"}},
    ),
    Case(
        "an alias of a copy is no alias",
        RIGHT,
        """
# %% imports
import copy
import pandas as pd
# %% step:a
a1 = [[1]]
b1 = list(a1)
c1 = copy.deepcopy(a1)
df = pd.DataFrame({"v": [1]})
df2 = df.copy()
# %% step:b prev:a
c1[0].append(2)
df2["v"] = 5
print(c1, a1)
# %% step:c prev:b
print(a1, b1, c1, df["v"].tolist(), df2["v"].tolist())
""",
        inputs={"c": {"a1": "a", "b1": "a", "c1": "b", "df": "a", "df2": "b"}},
    ),
    Case(
        "a name bound to itself keeps its bond",
        WARNED,
        """
# %% step:a
rows = [1]
kept = [rows, rows]
# %% step:b prev:a
rows = rows or rows
rows += [0]
print(rows, kept)
""",
        mentions=("kept",),
    ),
    Case(
        "an augmented name changes what another name holds",
        WARNED,
        """
# %% step:a
rows = [1]
same = rows
# %% step:b prev:a
rows += [2]
print(same)
""",
        mentions=("same",),
    ),
]
