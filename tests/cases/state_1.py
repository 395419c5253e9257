"""State in the imports and functions cells, in definitions, and of random generators."""

from __future__ import annotations

from cases.case import LOUD, REFUSED, RIGHT, WARNED, Case

CASES = [
    Case(
        "a counter of the functions cell reaches the next steps",
        RIGHT,
        """
# %% functions
counter = 0
def bump():
    global counter
    counter += 1
    return counter
# %% step:a
print(bump(), bump())
# %% step:b prev:a
print(bump())
# %% step:c prev:b
print(counter)
""",
        inputs={"a": {}, "b": {"counter": "a"}, "c": {"counter": "b"}},
    ),
    Case(
        "a list of the imports cell that a step appends to",
        RIGHT,
        """
# %% imports
import math
log = []
# %% step:a
log.append("a")
print(log)
# %% step:b prev:a
log.append("b")
print(log)
# %% step:c prev:b
print(log, len(log))
""",
        inputs={"a": {}, "b": {"log": "a"}, "c": {"log": "b"}},
    ),
    Case(
        "a registry of the functions cell changed through a helper",
        RIGHT,
        """
# %% functions
RESULTS = {}
def record(name, value):
    RESULTS[name] = value
# %% step:a
record("a", 1)
print(RESULTS)
# %% step:b prev:a
record("b", 2)
print(RESULTS)
# %% step:c prev:b
print(sorted(RESULTS.items()))
""",
        inputs={"b": {"RESULTS": "a"}, "c": {"RESULTS": "b"}},
    ),
    Case(
        "a constant of the functions cell that a step rebinds",
        RIGHT,
        """
# %% functions
LIMIT = 10
def capped(x):
    return min(x, LIMIT)
# %% step:a
print(capped(99))
# %% step:b prev:a
LIMIT = 20
print(capped(99))
# %% step:c prev:b
print(capped(99), LIMIT)
# %% step:d prev:a
print(LIMIT)
""",
        also=(WARNED,),
        inputs={"a": {}, "c": {"LIMIT": "b"}, "d": {}},
        prints={"d": "10"},
        why="d is a sibling of b: the constant as it stands",
    ),
    Case(
        "a constant rebound only under a condition",
        RIGHT,
        """
# %% imports
DEBUG = False
n = 3
# %% step:a
if n > 5:
    DEBUG = True
print("a", DEBUG)
# %% step:b prev:a
print("b", DEBUG)
""",
        inputs={"a": {}},
    ),
    Case(
        "a seeded generator of the imports cell goes on",
        RIGHT,
        """
# %% imports
import random
rng = random.Random(42)
# %% step:a
print(rng.randint(0, 1000))
# %% step:b prev:a
print(rng.randint(0, 1000))
# %% step:c prev:b
print(rng.randint(0, 1000))
""",
        inputs={"a": {}, "b": {"rng": "a"}, "c": {"rng": "b"}},
    ),
    Case(
        "a numpy generator of the imports cell goes on through a helper",
        RIGHT,
        """
# %% imports
import numpy as np
rng = np.random.default_rng(7)
# %% functions
def noise(n):
    return rng.normal(size=n).round(4)
# %% step:a
x = noise(3)
print(x)
# %% step:b prev:a
y = noise(3)
print(y)
# %% step:c prev:b
print(noise(1), (x + y).round(3))
""",
        inputs={"b": {"rng": "a"}, "c": {"rng": "b", "x": "a", "y": "b"}},
    ),
    Case(
        "an iterator of the functions cell advances",
        RIGHT,
        """
# %% functions
ids = iter(range(100, 200))
def new_id():
    return next(ids)
# %% step:a
first = new_id()
print(first)
# %% step:b prev:a
second = new_id()
print(second)
# %% step:c prev:b
print(first, second, new_id())
""",
        inputs={"b": {"ids": "a"}, "c": {"ids": "b", "first": "a", "second": "b"}},
    ),
    Case(
        "numpy's global seed in the imports cell, a chain",
        RIGHT,
        """
# %% imports
import numpy as np
np.random.seed(0)
# %% step:a
print(np.random.randint(0, 1000))
# %% step:b prev:a
print(np.random.randint(0, 1000))
# %% step:c prev:b
print(np.random.rand(2).round(4))
""",
        why="5.6: global random state that the notebook seeds goes on along the edges",
    ),
    Case(
        "random's global seed set in a step, used in later steps",
        RIGHT,
        """
# %% imports
import random
# %% step:a
random.seed(3)
print(random.random())
# %% step:b prev:a
xs = [1, 2, 3, 4, 5, 6]
random.shuffle(xs)
print(xs)
# %% step:c prev:b
print(random.choice(xs))
""",
        why="the state travels through b to c",
    ),
    Case(
        "the random state passes a step that does not draw",
        RIGHT,
        """
# %% imports
import numpy as np
# %% step:a
np.random.seed(11)
a0 = np.random.rand()
print(round(a0, 6))
# %% step:b prev:a
print("no draw here")
# %% step:c prev:b
print(round(np.random.rand(), 6))
""",
    ),
    Case(
        "a random draw inside a helper and in a library",
        RIGHT,
        """
# %% imports
import numpy as np
import pandas as pd
# %% functions
def draw():
    return int(np.random.randint(0, 10_000))
# %% step:a
np.random.seed(5)
df = pd.DataFrame({"v": range(20)})
print(draw())
# %% step:b prev:a
print(df.sample(3)["v"].tolist())
# %% step:c prev:b
print(draw())
""",
        why="df.sample without random_state draws from numpy's global state",
    ),
    Case(
        "sklearn without random_state draws from the global state",
        RIGHT,
        """
# %% imports
import numpy as np
from sklearn.model_selection import train_test_split
# %% step:a
np.random.seed(1)
X = np.arange(40).reshape(20, 2)
print(X.shape)
# %% step:b prev:a
tr, te = train_test_split(X, test_size=0.3)
print(te[:, 0].tolist())
# %% step:c prev:b
tr2, te2 = train_test_split(tr, test_size=0.5)
print(te2[:, 0].tolist())
""",
    ),
    Case(
        "seeding again in a later step",
        RIGHT,
        """
# %% imports
import random
# %% step:a
random.seed(1)
a = random.random()
print(a)
# %% step:b prev:a
random.seed(1)
b = random.random()
print(a == b)
# %% step:c prev:b
print(random.random())
""",
    ),
    Case(
        "parallel branches draw from the seeded global state",
        WARNED,
        """
# %% imports
import numpy as np
# %% step:a
np.random.seed(0)
print(np.random.rand())
# %% step:b prev:a
print(round(np.random.rand(), 6))
# %% step:c prev:a
print(round(np.random.rand(), 6))
""",
        mentions=("random",),
        why="5.6: each branch starts from the state above them, and a warning says so",
    ),
    Case(
        "steps without prev share the seeded global state",
        WARNED,
        """
# %% imports
import random
# %% step:seed
random.seed(8)
print("seeded")
# %% step:one
x = random.randint(0, 10**6)
print(x)
# %% step:two
y = random.randint(0, 10**6)
print(y)
""",
        also=(
            RIGHT,
            REFUSED,
        ),
        mentions=("random",),
        why="no variable ties these steps; an unseeded draw must not be silent",
    ),
    Case(
        "side effects of the imports cell run in every step",
        RIGHT,
        """
# %% imports
import warnings
import numpy as np
import pandas as pd
warnings.filterwarnings("ignore")
np.set_printoptions(precision=2)
pd.set_option("display.max_rows", 4)
# %% step:a
arr = np.array([1 / 3, 2 / 3])
df = pd.DataFrame({"v": range(10)})
print(arr)
# %% step:b prev:a
warnings.warn("not seen")
print(arr)
print(df)
""",
        inputs={"b": {"arr": "a", "df": "a"}},
    ),
    Case(
        "decimal context set in the imports cell",
        RIGHT,
        """
# %% imports
from decimal import Decimal, getcontext
getcontext().prec = 5
# %% step:a
print(Decimal(1) / 3)
# %% step:b prev:a
print(Decimal(2) / 3)
""",
    ),
    Case(
        "matplotlib style of the imports cell",
        RIGHT,
        """
# %% imports
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
plt.rcParams["figure.figsize"] = (3, 2)
# %% step:a
print(list(plt.rcParams["figure.figsize"]))
# %% step:b prev:a
print(list(plt.rcParams["figure.figsize"]))
""",
    ),
    Case(
        "a class attribute that a step changes",
        REFUSED,
        """
# %% functions
class Counter:
    count = 0
# %% step:a
Counter.count += 1
print(Counter.count)
# %% step:b prev:a
Counter.count += 1
print(Counter.count)
""",
        also=(LOUD,),
        mentions=("Counter",),
        why="5.6: state in a definition that a step changes is an error",
    ),
]
