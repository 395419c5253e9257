"""What cannot be known is said: exec, globals, files, the environment."""

from __future__ import annotations

from cases.case import LOUD, REFUSED, RIGHT, WARNED, Case

CASES = [
    Case(
        "exec binds a variable",
        WARNED,
        """
# %% step:a
x = 1
# %% step:b prev:a
exec("x = 2")
print(x)
# %% step:c prev:b
print(x)
""",
        also=(
            RIGHT,
            REFUSED,
            LOUD,
        ),
        mentions=("exec",),
        why="c must not print a's 1 in silence",
    ),
    Case(
        "exec of text built at run time",
        WARNED,
        """
# %% step:a
x = 1
name = "x"
# %% step:b prev:a
exec(f"{name} = {name} + 1")
print("b")
# %% step:c prev:b
print(x)
""",
        also=(
            RIGHT,
            REFUSED,
            LOUD,
        ),
        mentions=("exec",),
    ),
    Case(
        "eval reads a variable",
        WARNED,
        """
# %% step:a
x = 20
# %% step:b prev:a
print(eval("x + 1"))
""",
        also=(
            RIGHT,
            REFUSED,
            LOUD,
        ),
        mentions=("eval",),
    ),
    Case(
        "eval reads a name that is a parameter or a function cell's name too",
        WARNED,
        """
# %% functions
limit = 1
# %% step:a
limit = 50
# %% step:b prev:a
print(eval("limit * 2"))
""",
        also=(
            RIGHT,
            REFUSED,
            LOUD,
        ),
        mentions=("eval",),
        why="b has the functions cell's limit at hand: printing 2 in silence is wrong",
    ),
    Case(
        "globals()[...] binds",
        WARNED,
        """
# %% step:a
x = 1
# %% step:b prev:a
globals()["x"] = 2
print(x)
# %% step:c prev:b
print(x)
""",
        also=(
            RIGHT,
            REFUSED,
            LOUD,
        ),
        mentions=("globals",),
    ),
    Case(
        "globals().update binds many",
        WARNED,
        """
# %% step:a
x = 1
conf = {"x": 5, "y": 6}
# %% step:b prev:a
globals().update(conf)
print(x)
# %% step:c prev:b
print(x)
""",
        also=(
            RIGHT,
            REFUSED,
            LOUD,
        ),
        mentions=("globals",),
    ),
    Case(
        "globals() reads",
        WARNED,
        """
# %% step:a
model_a, model_b = 1, 2
# %% step:b prev:a
print([k for k in ("model_a", "model_b", "nope") if k in globals()])
""",
        also=(
            RIGHT,
            REFUSED,
            LOUD,
        ),
        mentions=("globals",),
    ),
    Case(
        "locals() and vars() at the top level",
        WARNED,
        """
# %% step:a
x = 3
# %% step:b prev:a
print("{x}".format(**locals()) if "x" in locals() else "missing")
# %% step:c prev:b
vars()["x"] = 4
print("c")
# %% step:d prev:c
print(x)
""",
        also=(
            RIGHT,
            REFUSED,
            LOUD,
        ),
        mentions=("locals",),
    ),
    Case(
        "dir() at the top level",
        WARNED,
        """
# %% step:a
loss_1, loss_2 = 1, 2
# %% step:b prev:a
print([n for n in dir() if n.startswith("loss_")])
""",
        also=(
            RIGHT,
            REFUSED,
            LOUD,
        ),
        mentions=("dir",),
    ),
    Case(
        "setattr on the main module",
        WARNED,
        """
# %% imports
import sys
# %% step:a
x = 1
# %% step:b prev:a
setattr(sys.modules["__main__"], "x", 2)
print(x)
# %% step:c prev:b
print(x)
""",
        also=(
            RIGHT,
            REFUSED,
            LOUD,
        ),
        mentions=("x",),
    ),
    Case(
        "import of the main module",
        WARNED,
        """
# %% step:a
x = 1
# %% step:b prev:a
import __main__
__main__.x = 2
print(x)
# %% step:c prev:b
print(x)
""",
        also=(
            RIGHT,
            REFUSED,
            LOUD,
        ),
        mentions=("__main__",),
    ),
    Case(
        "star import in the imports cell",
        RIGHT,
        """
# %% imports
from math import *
# %% step:a
r = sqrt(16)
print(r, floor(2.5))
# %% step:b prev:a
print(r * pi > 12)
""",
        inputs={"a": {}, "b": {"r": "a"}},
        why="issue 3.7: its names are resolved",
    ),
    Case(
        "star import in the imports cell hides a builtin and a typo is still found",
        REFUSED,
        """
# %% imports
from math import *
# %% step:a
print(pow(2, 3))
# %% step:b prev:a
print(sqqrt(4))
""",
        also=(LOUD,),
        mentions=("sqqrt",),
    ),
    Case(
        "star import in a step",
        REFUSED,
        """
# %% step:a
from math import *
print(sqrt(4))
# %% step:b prev:a
print(sqrt(9))
""",
        also=(
            RIGHT,
            WARNED,
        ),
        mentions=("*",),
        why="DESIGN 5.10: it has its own rule",
    ),
    Case(
        "star import in a step hides a variable",
        REFUSED,
        """
# %% step:a
e = "mine"
# %% step:b prev:a
from math import *
print(round(e, 2))
# %% step:c prev:b
print(e)
""",
        also=(
            RIGHT,
            WARNED,
            LOUD,
        ),
        mentions=("*",),
        why="e is math's after b; c must not print 'mine'",
    ),
    Case(
        "star import from a module beside the notebook",
        RIGHT,
        """
# %% imports
from tools import *
# %% step:a
print(triple(2))
# %% step:b prev:a
print(triple(FACTOR))
""",
        also=(WARNED,),
        files={"tools.py": "FACTOR = 3\n_hidden = 1\ndef triple(x):\n    return x * FACTOR\n"},
    ),
    Case(
        "df.query with a literal that names a variable",
        RIGHT,
        """
# %% imports
import pandas as pd
# %% step:a
df = pd.DataFrame({"v": [1, 5, 9]})
limit = 4
# %% step:b prev:a
print(df.query("v > @limit")["v"].tolist())
# %% step:c prev:b
print(df.eval("v * @limit").tolist())
""",
        inputs={"b": {"df": "a", "limit": "a"}},
        why="the literal case is resolved",
    ),
    Case(
        "df.query with the right version",
        RIGHT,
        """
# %% imports
import pandas as pd
# %% step:a
df = pd.DataFrame({"v": [1, 5, 9]})
limit = 4
# %% step:b prev:a
limit = 8
# %% step:c prev:b
out = df.query("v > @limit and v < @limit + 100")
print(out["v"].tolist())
""",
        inputs={"c": {"df": "a", "limit": "b"}},
    ),
    Case(
        "df.query with a text made at run time",
        WARNED,
        """
# %% imports
import pandas as pd
# %% functions
limit = 0
# %% step:a
df = pd.DataFrame({"v": [1, 5, 9]})
limit = 4
rule = "v > @limit"
# %% step:b prev:a
print(df.query(rule)["v"].tolist())
""",
        also=(
            RIGHT,
            REFUSED,
            LOUD,
        ),
        mentions=("limit",),
        why="with the functions cell's limit of 0 all three rows would come: silently wrong",
    ),
    Case(
        "a module is patched in one step and used in the next",
        WARNED,
        """
# %% imports
import math
# %% step:a
math.pi = 3
print(math.pi)
# %% step:b prev:a
print(math.pi)
""",
        also=(
            RIGHT,
            REFUSED,
        ),
        mentions=("math",),
    ),
    Case(
        "a method of a library class is patched",
        WARNED,
        """
# %% imports
import pandas as pd
# %% step:a
pd.DataFrame.hello = lambda self: f"hello {len(self)}"
df = pd.DataFrame({"v": [1]})
print(df.hello())
# %% step:b prev:a
print(df.hello() if hasattr(df, "hello") else "no hello")
""",
        also=(
            RIGHT,
            REFUSED,
            LOUD,
        ),
        mentions=("DataFrame",),
    ),
    Case(
        "numpy print options set in a step",
        WARNED,
        """
# %% imports
import numpy as np
# %% step:a
np.set_printoptions(precision=2)
x = np.array([1 / 3])
print(x)
# %% step:b prev:a
print(x)
""",
        also=(
            RIGHT,
            REFUSED,
        ),
        mentions=("set_printoptions",),
        why="process-wide state set in a step is lost in the next",
    ),
    Case(
        "pandas options set in a step",
        WARNED,
        """
# %% imports
import pandas as pd
# %% step:a
pd.set_option("display.max_columns", 2)
df = pd.DataFrame([[1, 2, 3, 4]])
print(df)
# %% step:b prev:a
print(df)
""",
        also=(
            RIGHT,
            REFUSED,
        ),
        mentions=("set_option",),
    ),
]
