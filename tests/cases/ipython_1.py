"""IPython's syntax, display, imports, unicode, asynchronous code."""

from __future__ import annotations

from cases.case import LOUD, REFUSED, RIGHT, WARNED, Case

CASES = [
    Case(
        "matplotlib inline and load_ext are harmless",
        RIGHT,
        """
# %% imports
%matplotlib inline
import math
# %% step:a
%load_ext autoreload
%autoreload 2
x = math.floor(2.5)
print(x)
# %% step:b prev:a
print(x)
""",
        also=(WARNED,),
        inputs={"b": {"x": "a"}},
    ),
    Case(
        "a shell assignment binds a list",
        RIGHT,
        r"""
# %% step:a
files = !printf 'b\na\n'
print(list(files))
# %% step:b prev:a
print(sorted(files), files[0])
""",
        inputs={"b": {"files": "a"}},
        ignore=("files",),
        why="SList in IPython, list here: both are lists of lines",
    ),
    Case(
        "a shell line reads variables",
        RIGHT,
        """
# %% step:a
name = "data set"
n = 3
# %% step:b prev:a
!echo "$name" {n + 1} $$HOME_NOT
out = !echo {name.upper()}
print(out[0])
""",
        inputs={"b": {"name": "a", "n": "a"}},
    ),
    Case(
        "a failing shell command fails the step",
        LOUD,
        """
# %% step:a
!exit 3
x = 1
# %% step:b prev:a
print(x)
""",
        also=(REFUSED,),
        why="5.9: a failing !command fails the step (in Jupyter it does not: that is why it is loud)",
    ),
    Case(
        "time magic binds a variable",
        RIGHT,
        """
# %% step:a
base = 4
# %% step:b prev:a
%time y = base ** 2
print(y)
# %% step:c prev:b
print(y)
""",
        inputs={"b": {"base": "a"}, "c": {"y": "b"}},
    ),
    Case(
        "time cell magic binds and reads",
        RIGHT,
        """
# %% step:a
base = 4
# %% step:b prev:a
%%time
y = [base * i for i in range(3)]
base = 1
print(y)
# %% step:c prev:b
print(y, base)
""",
        inputs={"b": {"base": "a"}, "c": {"y": "b", "base": "b"}},
    ),
    Case(
        "timeit binds nothing outside",
        RIGHT,
        """
# %% step:a
x = 1
# %% step:b prev:a
%timeit -n1 -r1 x = 5
%timeit -n1 -r1 pass
print("timed")
# %% step:c prev:b
print(x)
""",
        also=(REFUSED,),
        inputs={"c": {"x": "a"}},
        why="names assigned in %timeit are local to it: kept local, or refused by the table of magics",
    ),
    Case(
        "bash cell",
        RIGHT,
        """
# %% step:a
x = 1
print(x)
# %% step:b prev:a
%%bash
a=5
echo "bash $a"
# %% step:b
print(x + 1)
""",
        inputs={"b": {"x": "a"}},
    ),
    Case(
        "bash cell with its output in a variable",
        RIGHT,
        """
# %% step:a
%%bash --out listing
echo hidden
# %% step:b prev:a
print(listing.strip())
""",
        also=(REFUSED,),
        inputs={"b": {"listing": "a"}},
    ),
    Case(
        "a failing bash cell fails the step",
        LOUD,
        """
# %% step:a
%%bash
echo start
false
exit 4
# %% step:b prev:a
print("never")
""",
        also=(REFUSED,),
    ),
    Case(
        "capture cell magic",
        RIGHT,
        """
# %% step:a
%%capture cap
print("swallowed")
v = 7
# %% step:b prev:a
print(v)
""",
        also=(REFUSED,),
        inputs={"b": {"v": "a"}},
    ),
    Case(
        "writefile and read in the same step",
        RIGHT,
        """
# %% step:a
%%writefile conf.txt
lr = 1
# %% step:a
text = open("conf.txt").read()
print(text)
# %% step:b prev:a
print(len(text))
""",
        inputs={"b": {"text": "a"}},
        prints={"a": "lr = 1"},
    ),
    Case(
        "help with a question mark",
        RIGHT,
        """
# %% step:a
x = [1]
x?
?x
len??
print(x)
# %% step:b prev:a
print(x)
""",
        inputs={"b": {"x": "a"}},
        prints={"a": "[1]"},
    ),
    Case(
        "magics inside an if and a loop",
        RIGHT,
        """
# %% step:a
verbose = True
if verbose:
    !echo loud
for i in range(2):
    %time z = i
print(z)
# %% step:b prev:a
print(z)
""",
        inputs={"b": {"z": "a"}},
    ),
    Case(
        "percent and bang inside strings and expressions are no magics",
        RIGHT,
        '''
# %% step:a
a, b = 7, 4
s = """
%time not a magic
!ls not a command
x?
"""
r = (a
     % b)
ok = a != b
print(r, ok, s.count("%"), "100 %d" % a)
# %% step:b prev:a
print(r, s.splitlines()[2])
''',
        inputs={"b": {"r": "a", "s": "a"}},
    ),
    Case(
        "pip install of a package that is there",
        RIGHT,
        """
# %% imports
%pip install numpy
import numpy as np
# %% step:a
x = np.arange(3)
print(x.sum())
# %% step:b prev:a
print(x.max())
""",
        inputs={"b": {"x": "a"}},
        why="a package that the image has is never reinstalled (no network is needed)",
    ),
    Case(
        "bang pip install of a package that is there",
        RIGHT,
        """
# %% step:a
!pip install -q "pandas>=1.0"
import pandas as pd
df = pd.DataFrame({"v": [1, 2]})
print(df["v"].sum())
# %% step:b prev:a
print(df.shape)
""",
        inputs={"b": {"df": "a"}},
        prints={"a": "3"},
    ),
    Case(
        "get_ipython as far as it goes",
        RIGHT,
        """
# %% step:a
ip = get_ipython()
ip.run_line_magic("matplotlib", "inline")
get_ipython().system("echo from-system")
out = get_ipython().getoutput("echo captured")
print(out[0])
# %% step:b prev:a
print(out[0])
""",
        also=(
            REFUSED,
            LOUD,
        ),
        ignore=("out",),
        why="`get_ipython` behaves as far as it can without IPython",
    ),
    Case(
        "an unknown magic",
        REFUSED,
        """
# %% step:a
%no_such_magic 5
x = 1
# %% step:b prev:a
print(x)
""",
        also=(
            LOUD,
            WARNED,
        ),
        mentions=("no_such_magic",),
    ),
    Case(
        "a cython or R cell",
        REFUSED,
        """
# %% step:a
%%R
x <- 1
# %% step:b prev:a
print("b")
""",
        also=(LOUD,),
        mentions=("R",),
    ),
    Case(
        "html and javascript cells",
        RIGHT,
        """
# %% step:a
%%html
<b>x</b>
# %% step:a
x = 1
print(x)
# %% step:b prev:a
print(x)
""",
        inputs={"b": {"x": "a"}},
        prints={"a": "1"},
    ),
    Case(
        "env magic",
        WARNED,
        """
# %% step:a
%env KALE_HARD_ENV=7
print("set")
# %% step:b prev:a
import os
print(os.environ.get("KALE_HARD_ENV", "unset"))
""",
        also=(
            RIGHT,
            REFUSED,
        ),
        mentions=("env",),
        why="a hidden channel, written as a magic",
    ),
    Case(
        "cd magic",
        WARNED,
        """
# %% step:a
!mkdir -p deep
%cd deep
import os
print(os.path.basename(os.getcwd()))
# %% step:b prev:a
import os
print(os.path.basename(os.getcwd()))
""",
        also=(
            RIGHT,
            REFUSED,
            LOUD,
        ),
        mentions=("cd",),
    ),
    Case(
        "run magic of a file beside the notebook",
        RIGHT,
        """
# %% step:a
%run setup_vars.py
print(answer)
# %% step:b prev:a
print(answer)
""",
        also=(
            REFUSED,
            LOUD,
        ),
        files={"setup_vars.py": "answer = 42\n"},
    ),
    Case(
        "automagic and line continuation",
        RIGHT,
        r"""
# %% step:a
x = 3
%time y = x + \
    1
print(y)
# %% step:b prev:a
print(y)
""",
        also=(REFUSED,),
    ),
    Case(
        "the last expression does not count as a variable",
        RIGHT,
        """
# %% step:a
x = 2
x * 3
# %% step:a
print(x)
x;
# %% step:b prev:a
x
print(x)
""",
        inputs={"b": {"x": "a"}},
    ),
    Case(
        "underscore as the last result",
        REFUSED,
        """
# %% step:a
6 * 7
# %% step:a
print(_)
""",
        also=(
            RIGHT,
            LOUD,
            WARNED,
        ),
        why="`_` is IPython's last output; top to bottom with plain exec it is a NameError",
    ),
    Case(
        "each step lists only the packages that it needs",
        RIGHT,
        """
# %% imports
import json
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression
# %% step:a
x = np.arange(4.0)
print(x)
# %% step:b
t = json.dumps([1])
print(t)
# %% step:c prev:a
df = pd.DataFrame({"x": x})
print(len(df))
""",
        inputs={"c": {"x": "a"}},
        packages={"a": ["numpy"], "b": [], "c": ["numpy", "pandas"]},
        why="c loads an array: it needs the packages of the step whose data it loads (5.8)",
    ),
    Case(
        "import name and distribution name differ",
        RIGHT,
        """
# %% step:a
import sklearn
from PIL import Image
import yaml
v = yaml.safe_load("k: [1, 2]")
im = Image.new("L", (2, 2))
print(v, im.size)
# %% step:b prev:a
print(v)
""",
        inputs={"b": {"v": "a"}},
    ),
    Case(
        "a module beside the notebook",
        RIGHT,
        """
# %% imports
import helpers
from helpers import double as twice
# %% step:a
x = twice(4)
print(x)
# %% step:b prev:a
print(helpers.double(x))
""",
        inputs={"b": {"x": "a"}},
        packages={"a": [], "b": []},
        files={"helpers.py": "OFFSET = 1\ndef double(x):\n    return 2 * x + OFFSET\n"},
        why="carried along, never looked up on an index",
    ),
    Case(
        "an instance of a class of a module beside the notebook",
        RIGHT,
        """
# %% step:a
from shapes import Square
s = Square(3)
print(s.area())
# %% step:b prev:a
print(s.area())
""",
        inputs={"b": {"s": "a"}},
        files={
            "shapes.py": "class Square:\n    def __init__(self, n):\n        self.n = n\n    def area(self):\n        return self.n ** 2\n"
        },
        why="b never imports shapes, but its value needs the module",
    ),
]
