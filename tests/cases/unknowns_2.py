"""What cannot be known is said: exec, globals, files, the environment."""

from __future__ import annotations

from cases.case import LOUD, REFUSED, RIGHT, WARNED, Case

CASES = [
    Case(
        "pandas option by attribute set in a step",
        WARNED,
        """
# %% imports
import pandas as pd
# %% step:a
pd.options.display.max_rows = 2
df = pd.DataFrame({"v": range(5)})
print(df)
# %% step:b prev:a
print(df)
""",
        also=(
            RIGHT,
            REFUSED,
        ),
        mentions=("pd",),
    ),
    Case(
        "decimal precision set in a step",
        WARNED,
        """
# %% imports
import decimal
from decimal import Decimal
# %% step:a
decimal.getcontext().prec = 4
print(Decimal(1) / 3)
# %% step:b prev:a
third = Decimal(1) / 3
print(third)
""",
        also=(
            RIGHT,
            REFUSED,
        ),
        mentions=("decimal",),
        why="an attribute of a library's call result: process-wide state",
    ),
    Case(
        "environment variable set in one step and read in the next",
        WARNED,
        """
# %% imports
import os
# %% step:a
os.environ["KALE_HARD_MODE"] = "fast"
print(os.environ["KALE_HARD_MODE"])
# %% step:b prev:a
print(os.environ.get("KALE_HARD_MODE", "unset"))
""",
        also=(
            RIGHT,
            REFUSED,
        ),
        mentions=("KALE_HARD_MODE",),
    ),
    Case(
        "environment variable through putenv spelling setdefault and getenv",
        WARNED,
        """
# %% imports
import os
# %% step:a
os.environ.setdefault("KALE_HARD_X", "1")
os.environ.update({"KALE_HARD_Y": "2"})
print("set")
# %% step:b prev:a
print(os.getenv("KALE_HARD_X"), os.getenv("KALE_HARD_Y"))
""",
        also=(
            RIGHT,
            REFUSED,
        ),
        mentions=("KALE_HARD",),
    ),
    Case(
        "environment variable set and read in the imports cell and steps",
        RIGHT,
        """
# %% imports
import os
os.environ["KALE_HARD_Z"] = "all"
# %% step:a
print(os.environ["KALE_HARD_Z"])
# %% step:b prev:a
print(os.environ["KALE_HARD_Z"])
""",
        why="the imports cell runs in every step",
    ),
    Case(
        "a file written in one step and read in the next",
        WARNED,
        """
# %% step:a
with open("hidden.txt", "w") as f:
    f.write("secret")
print("written")
# %% step:b prev:a
with open("hidden.txt") as f:
    print(f.read())
""",
        also=(REFUSED,),
        mentions=("hidden.txt",),
        why="works in one folder, not in pods: a warning at least",
    ),
    Case(
        "a csv written in one step and read in the next",
        WARNED,
        """
# %% imports
import pandas as pd
# %% step:a
pd.DataFrame({"v": [1, 2]}).to_csv("mid.csv", index=False)
print("written")
# %% step:b prev:a
print(pd.read_csv("mid.csv")["v"].sum())
""",
        also=(REFUSED,),
        mentions=("mid.csv",),
    ),
    Case(
        "a file written through pathlib with the name in a variable",
        WARNED,
        """
# %% imports
from pathlib import Path
# %% step:a
out = Path("model.txt")
out.write_text("weights")
print(out.name)
# %% step:b prev:a
print(out.read_text())
""",
        also=(REFUSED,),
        mentions=("out",),
        why="the path crosses as a value, its content as a hidden channel",
    ),
    Case(
        "a file written and read without an edge between",
        WARNED,
        """
# %% step:writer
with open("late.txt", "w") as f:
    f.write("x" * 5)
print("w")
# %% step:reader
import os
print(os.path.exists("late.txt") and open("late.txt").read())
""",
        also=(
            REFUSED,
            RIGHT,
        ),
        mentions=("late.txt",),
        why="without prev and without data the two may run in any order",
    ),
    Case(
        "a file written and read in the same step",
        RIGHT,
        """
# %% step:a
with open("tmp.txt", "w") as f:
    f.write("here")
text = open("tmp.txt").read()
print(text)
# %% step:b prev:a
print(text)
""",
        inputs={"b": {"text": "a"}},
        quiet=True,
    ),
    Case(
        "working directory changed in a step",
        WARNED,
        """
# %% imports
import os
# %% step:a
os.makedirs("sub", exist_ok=True)
os.chdir("sub")
print(os.path.basename(os.getcwd()))
# %% step:b prev:a
print(os.path.basename(os.getcwd()))
""",
        also=(
            RIGHT,
            REFUSED,
        ),
        mentions=("chdir",),
    ),
    Case(
        "sys.path changed in a step",
        WARNED,
        """
# %% imports
import sys
# %% step:a
sys.path.insert(0, "libs")
print("libs" in sys.path)
# %% step:b prev:a
print("libs" in sys.path)
""",
        also=(
            RIGHT,
            REFUSED,
            LOUD,
        ),
        mentions=("sys.path",),
    ),
    Case(
        "a builtin is patched in a step",
        WARNED,
        """
# %% imports
import builtins
# %% step:a
builtins.shout = lambda s: s.upper()
print(shout("x"))
# %% step:b prev:a
print(shout("y") if hasattr(builtins, "shout") else "no shout")
""",
        also=(
            RIGHT,
            REFUSED,
            LOUD,
        ),
        mentions=("shout",),
    ),
    Case(
        "state in a module beside the notebook",
        WARNED,
        """
# %% imports
import mystate
# %% step:a
mystate.value = 5
mystate.items.append(1)
print(mystate.value, mystate.items)
# %% step:b prev:a
print(mystate.value, mystate.items)
""",
        also=(
            RIGHT,
            REFUSED,
            LOUD,
        ),
        mentions=("mystate",),
        files={"mystate.py": "value = 0\nitems = []\n"},
    ),
    Case(
        "state in a module changed by its own function",
        WARNED,
        """
# %% imports
import mystate
# %% step:a
print(mystate.bump(), mystate.bump())
# %% step:b prev:a
print(mystate.bump())
""",
        also=(
            RIGHT,
            REFUSED,
            LOUD,
        ),
        mentions=("mystate",),
        files={"mystate.py": "n = 0\ndef bump():\n    global n\n    n += 1\n    return n\n"},
        why=("the hardest hidden channel: nothing in the notebook's text tells; a digest of module state could"),
    ),
    Case(
        "output history as a variable",
        REFUSED,
        """
# %% step:a
x = 6 * 7
x
# %% step:b prev:a
y = Out if "Out" in globals() else {}
print(type(y).__name__ in ("dict",))
""",
        also=(
            RIGHT,
            WARNED,
            LOUD,
        ),
        mentions=("Out",),
        why="Out, In and _ are IPython's: rule, or as far as they behave",
    ),
    Case(
        "a warning filter set in a step",
        WARNED,
        """
# %% imports
import warnings
# %% step:a
warnings.simplefilter("error")
print("strict")
# %% step:b prev:a
try:
    warnings.warn("deprecated", UserWarning)
    print("passed")
except UserWarning:
    print("raised")
""",
        also=(
            RIGHT,
            REFUSED,
        ),
        mentions=("warnings",),
    ),
    Case(
        "matplotlib defaults set in a step",
        WARNED,
        """
# %% imports
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
# %% step:a
plt.rcParams["lines.linewidth"] = 7
print(plt.rcParams["lines.linewidth"])
# %% step:b prev:a
print(plt.rcParams["lines.linewidth"])
""",
        also=(
            RIGHT,
            REFUSED,
        ),
        mentions=("rcParams",),
    ),
    Case(
        "the current figure goes on in the next step",
        WARNED,
        """
# %% imports
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
# %% step:a
plt.figure()
plt.plot([1, 2], [3, 4])
print(len(plt.gca().lines))
# %% step:b prev:a
plt.plot([1, 2], [5, 6])
print(len(plt.gca().lines))
""",
        also=(
            RIGHT,
            REFUSED,
            LOUD,
        ),
        mentions=("plt",),
        why="pyplot's current figure is process-wide state; b prints 2 in the notebook",
    ),
    Case(
        "a thread started in one step finishes in the next",
        LOUD,
        """
# %% imports
import threading
# %% step:a
box = []
t = threading.Thread(target=lambda: box.append(1))
t.start()
print("started")
# %% step:b prev:a
t.join()
print(box)
""",
        also=(
            REFUSED,
            WARNED,
        ),
        mentions=("t",),
    ),
    Case(
        "getattr on a module with a computed name is fine",
        RIGHT,
        """
# %% imports
import math
# %% step:a
name = "sqrt"
# %% step:b prev:a
print(getattr(math, name)(9))
""",
        inputs={"b": {"name": "a"}},
    ),
    Case(
        "eval with its own namespace is fine",
        RIGHT,
        """
# %% step:a
x = 2
# %% step:b prev:a
print(eval("y + 1", {"y": x}))
""",
        also=(WARNED,),
        inputs={"b": {"x": "a"}},
        why="explicit globals: nothing hidden; refusing a valid program has no ground here",
    ),
    Case(
        "methods called exec, eval and query are no builtins",
        RIGHT,
        """
# %% step:a
class Engine:
    def exec(self, q):
        return q + "!"
    def eval(self, q):
        return q + "?"
e = Engine()
# %% step:b prev:a
print(e.exec("run"), e.eval("see"))
""",
        inputs={"b": {"e": "a"}},
    ),
]
