"""The tag language, as far as it decides what runs where."""

from __future__ import annotations

from cases.case import REFUSED, RIGHT, WARNED, Case

CASES = [
    Case(
        "Kale's block tags with an empty block",
        RIGHT,
        """
# %% block:imports
import math
# %% block:functions
def sq(x):
    return x * x
# %% block:load
x = 2
# %% block:
y = sq(x)
print(y)
# %% block:train prev:load
z = math.sqrt(y)
# %%
print(z, x)
""",
        inputs={"train": {"x": "load", "y": "load"}},
        why=(
            "`block:imports` is given in section 4; `block:functions` by analogy: read or refused with the "
            "right spelling"
        ),
    ),
    Case(
        "block imports and parameters in the older spelling",
        RIGHT,
        """
# %% block:imports
import math
# %% parameters
r = 2
# %% block:area
a = round(math.pi * r**2, 3)
print(a)
# %% block:report prev:area
print(a, r)
""",
        inputs={"area": {}, "report": {"a": "area"}},
        defaults={"r": 2},
    ),
    Case(
        "an empty step tag joins the step above",
        RIGHT,
        """
# %% step:a
x = 1
# %% step:
x += 1
# %%
print(x)
# %% step:b prev:a
print(x * 2)
""",
        inputs={"b": {"x": "a"}},
    ),
    Case(
        "untagged cells after a skip cell join the step above",
        RIGHT,
        """
# %% step:a
x = 1
# %% skip
x = 1 / 0
# %%
y = x + 1
print(y)
# %% step:b prev:a
print(x, y)
""",
        inputs={"b": {"x": "a", "y": "a"}},
        why="section 4: joins the step above it; the skip cell is left out",
    ),
    Case(
        "untagged cells after a functions cell join the step above",
        RIGHT,
        """
# %% step:a
x = 1
# %% functions
def f(v):
    return v + 1
# %%
y = f(x)
print(y)
# %% step:b prev:a
print(x, y)
""",
        also=(REFUSED,),
        inputs={"b": {"x": "a", "y": "a"}},
    ),
    Case(
        "markdown between the cells of a step",
        RIGHT,
        """
# %% [markdown]
# Title
# %% step:a
x = 1
# %% [markdown]
text about x = 5
# %%
print(x)
# %% [raw]
x = 7
# %% step:b prev:a
print(x)
""",
        inputs={"b": {"x": "a"}},
    ),
    Case(
        "an untagged cell before the first tag",
        RIGHT,
        """
# %%
import math
# %% step:a
x = math.sqrt(4)
print(x)
# %% step:b prev:a
print(math.floor(x))
""",
        also=(REFUSED,),
        why=(
            "issue 2.3: decided and tested; refused with advice, or taken as imports, never dropped so that "
            "the run dies"
        ),
    ),
    Case(
        "an untagged cell before the first tag binds a variable",
        RIGHT,
        """
# %%
base = 5
# %% step:a
print(base)
# %% step:b prev:a
print(base + 1)
""",
        also=(REFUSED,),
    ),
    Case(
        "an empty untagged cell before the first tag",
        RIGHT,
        """
# %%

# %%
# just a comment
# %% step:a
x = 1
print(x)
# %% step:b prev:a
print(x)
""",
        inputs={"b": {"x": "a"}},
        why="nothing is lost: no reason to refuse",
    ),
    Case(
        "several prev tags, a joined one, and one given twice",
        RIGHT,
        """
# %% step:a
x = 1
# %% step:b prev:a
y = 2
# %% step:c prev:a
z = 3
# %% step:d prev:a:b prev:c prev:b
print(x, y, z)
""",
        inputs={"d": {"x": "a", "y": "b", "z": "c"}},
    ),
    Case(
        "prev on the second cell of a step",
        RIGHT,
        """
# %% step:a
x = 1
# %% step:b
y = 2
# %% step:b prev:a
print(x + y)
""",
        inputs={"b": {"x": "a"}},
        why="section 4: on any cell of the step",
    ),
    Case(
        "prev on an untagged cell that joins the step above",
        RIGHT,
        """
# %% step:a
x = 1
# %% step:b
y = 2
# %% prev:a
print(x + y)
""",
        also=(REFUSED,),
        inputs={"b": {"x": "a"}},
        why="`prev:NAME` on any cell of the step; the cell has no step tag, so it joins b",
    ),
    Case(
        "prev on two cells of one step adds up",
        RIGHT,
        """
# %% step:a
x = 1
# %% step:b
y = 2
# %% step:c prev:a
print(x)
# %% step:c prev:b
print(x + y)
""",
        inputs={"c": {"x": "a", "y": "b"}},
        after={"c": ["a", "b"]},
    ),
    Case(
        "prev to a step that does not exist",
        REFUSED,
        """
# %% step:load
x = 1
# %% step:train prev:laod
print(x)
""",
        mentions=("laod", "load"),
        why="with a suggestion, as elsewhere",
    ),
    Case(
        "prev to itself",
        REFUSED,
        """
# %% step:a
x = 1
# %% step:b prev:b
print(x)
""",
        mentions=("b",),
    ),
    Case(
        "a cycle of prev",
        REFUSED,
        """
# %% step:a prev:c
x = 1
# %% step:b prev:a
y = 1
# %% step:c prev:b
z = 1
""",
        mentions=("a", "b", "c"),
    ),
    Case(
        "prev to a step further down the notebook",
        RIGHT,
        """
# %% step:report prev:check
print("report")
# %% step:check
print("check")
""",
        also=(REFUSED,),
        after={"report": ["check"]},
        why="an edge without data against the order of the notebook: kept, or refused with the reason",
    ),
    Case(
        "prev to imports",
        REFUSED,
        """
# %% imports
import math
# %% step:a prev:imports
print(math.pi)
""",
        also=(
            RIGHT,
            WARNED,
        ),
        mentions=("imports",),
        why="imports is no step; Kale notebooks hold this",
    ),
    Case(
        "two steps on one cell",
        REFUSED,
        """
# %% step:a step:b
x = 1
print(x)
""",
        mentions=("a", "b"),
    ),
    Case(
        "the same step twice on one cell",
        RIGHT,
        """
# %% step:a step:a
x = 1
print(x)
# %% step:b prev:a prev:a
print(x)
""",
        also=(REFUSED,),
    ),
    Case(
        "skip and step on one cell",
        RIGHT,
        """
# %% step:a
x = 1
print(x)
# %% step:a skip
x = 99
# %% step:b prev:a
print(x)
""",
        also=(REFUSED,),
        inputs={"b": {"x": "a"}},
        why="skip: left out",
    ),
    Case(
        "step and imports on one cell",
        REFUSED,
        """
# %% step:a imports
import math
print(math.pi)
""",
        also=(
            RIGHT,
            WARNED,
        ),
    ),
    Case(
        "names that collide after KFP's sanitising",
        REFUSED,
        """
# %% step:train_model
x = 1
# %% step:train-model prev:train_model
print(x)
""",
        mentions=("train_model", "train-model"),
    ),
    Case(
        "names that differ in case only",
        REFUSED,
        """
# %% step:Train
x = 1
# %% step:train prev:Train
print(x)
""",
        mentions=("Train", "train"),
        why="task names are [a-z][a-z0-9-]*",
    ),
    Case(
        "upper case, underscore and digits in step names",
        RIGHT,
        """
# %% step:Load_Data2
x = 1
print(x)
# %% step:train_V2 prev:Load_Data2
print(x)
""",
        inputs={"train_V2": {"x": "Load_Data2"}},
    ),
    Case(
        "a step named like a keyword or a builtin",
        RIGHT,
        """
# %% step:import
x = 1
print(x)
# %% step:list prev:import
print(x)
# %% step:print prev:list
print(x)
""",
        also=(REFUSED,),
        why="5.10: its own rule",
    ),
    Case(
        "steps named like what generated code uses",
        RIGHT,
        """
# %% step:pipeline
dsl = 1
print(dsl)
# %% step:kfp prev:pipeline
kfp = 2
print(dsl, kfp)
# %% step:component prev:kfp
print(dsl, kfp)
""",
        also=(REFUSED,),
        inputs={"component": {"dsl": "pipeline", "kfp": "kfp"}},
    ),
    Case(
        "variables named like what a runtime uses",
        RIGHT,
        """
# %% step:a
main, sys, json, os, pickle, step, inputs, outputs, namespace, runtime = range(10)
open_ = 1
print(main)
# %% step:b prev:a
print(main, sys, json, os, pickle, step, inputs, outputs, namespace, runtime)
""",
        why="user cells run in a namespace of their own",
    ),
]
