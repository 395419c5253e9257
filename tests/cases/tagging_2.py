"""The tag language, as far as it decides what runs where."""

from __future__ import annotations

from cases.case import LOUD, REFUSED, RIGHT, WARNED, Case

CASES = [
    Case(
        "a variable whose name KFP would rewrite",
        RIGHT,
        """
# %% step:a
X, x, X_, X__1, x_1, Xa = 1, 2, 3, 4, 5, 6
print(X, x)
# %% step:b prev:a
print(X, x, X_, X__1, x_1, Xa)
""",
        why="X and x, x_1 and X__1 collide in KFP's spelling of outputs, not in Python",
    ),
    Case(
        "variables with python keywords' neighbours and soft keywords",
        RIGHT,
        """
# %% step:a
match, case, _type, type_ = 1, 2, 3, 4
print(match)
# %% step:b prev:a
print(match, case, _type, type_)
""",
        inputs={"b": {"match": "a", "case": "a", "_type": "a", "type_": "a"}},
    ),
    Case(
        "variables named y, n, on, null and true",
        RIGHT,
        """
# %% step:y
n, on, null, true, no = "n", 1, 2, 3, "no"
y = "yes"
print(n)
# %% step:n prev:y
print(n, on, null, true, no, y)
# %% step:null prev:n
print(y)
""",
        inputs={"n": {"n": "y", "on": "y", "null": "y", "true": "y", "no": "y", "y": "y"}},
        why="YAML 1.1 booleans as keys",
    ),
    Case(
        "a very long step name",
        REFUSED,
        """
# %% step:very_long_name_very_long_name_very_long_name_very_long_name_very_long_name_very_long_name_
x = 1
print(x)
# %% step:b prev:very_long_name_very_long_name_very_long_name_very_long_name_very_long_name_very_long_name_
print(x)
""",
        also=(
            RIGHT,
            WARNED,
        ),
        why="task names have at most 63 characters",
    ),
    Case(
        "a step name with a space",
        REFUSED,
        """
# %% ["step:my step"]
x = 1
print(x)
""",
        also=(
            RIGHT,
            WARNED,
        ),
    ),
    Case(
        "a step name of only unicode letters",
        REFUSED,
        """
# %% step:größe
x = 1
print(x)
""",
        also=(
            RIGHT,
            WARNED,
        ),
    ),
    Case(
        "a malformed limit",
        REFUSED,
        """
# %% step:a limit:cpu
x = 1
print(x)
""",
        mentions=("limit",),
    ),
    Case(
        "a bad quantity",
        REFUSED,
        """
# %% step:a limit:memory:lots
x = 1
print(x)
""",
        mentions=("lots",),
    ),
    Case(
        "a bad cache value",
        REFUSED,
        """
# %% step:a cache:maybe
x = 1
print(x)
""",
        mentions=("cache",),
    ),
    Case(
        "two different images on one step",
        REFUSED,
        """
# %% step:a image:python:3.11
x = 1
# %% step:a image:python:3.12
print(x)
""",
        also=(WARNED,),
        mentions=("image",),
    ),
    Case(
        "settings of every kind on a step",
        RIGHT,
        """
# %% ["step:a", "limit:cpu:500m", "request:memory:1Gi", "limit:nvidia.com/gpu:1", "label:team:core", "annotation:link:http://x.y:80/z", "cache:disabled", "image:python:3.11"]
x = 1
print(x)
# %% step:b prev:a limit:cpu:1 cache:enabled
print(x)
""",
        inputs={"b": {"x": "a"}},
    ),
    Case(
        "a label with a space and colons",
        RIGHT,
        """
# %% ["step:a", "annotation:note:a b: c"]
x = 1
print(x)
# %% step:b prev:a
print(x)
""",
    ),
    Case(
        "foreign tags are ignored",
        RIGHT,
        """
# %% injected-parameters hide-input remove_cell
# %% step:a raises-exception my:own:tag tags
x = 1
print(x)
# %% step:b prev:a slideshow
print(x)
""",
        inputs={"b": {"x": "a"}},
        why="any other tag is not ours",
    ),
    Case(
        "tags that are not a list of strings",
        REFUSED,
        """
# %% ["step:a", 5]
x = 1
print(x)
""",
        also=(
            RIGHT,
            WARNED,
        ),
        why="decided and tested; silence about 5 is fine only if nothing is lost",
    ),
    Case(
        "markdown cell with a step tag",
        RIGHT,
        """
# %% [markdown] step:a
some text
# %% step:a
x = 1
print(x)
# %% step:b prev:a
print(x)
""",
        also=(REFUSED,),
        inputs={"b": {"x": "a"}},
        why="must not be executed",
    ),
    Case(
        "a tag with spaces around",
        RIGHT,
        """
# %% ["step:a "]
x = 1
print(x)
# %% [" step:b", "prev: a"]
print(x)
""",
        also=(REFUSED,),
        why="read leniently, or an error with the right spelling; not ignored in silence",
    ),
    Case(
        "the notebook's metadata in Kale's spelling",
        RIGHT,
        """
# %% block:a
x = 1
print(x)
# %% block:b prev:a
print(x)
""",
        inputs={"b": {"x": "a"}},
        metadata={
            "kubeflow_notebook": {
                "autosnapshot": False,
                "docker_image": "",
                "experiment": {"id": "", "name": "E"},
                "experiment_name": "E",
                "pipeline_description": 'd: "q" # no',
                "pipeline_name": "my-pipe",
                "snapshot_volumes": False,
                "steps_defaults": [],
                "volume_access_mode": "rwm",
                "volumes": [],
            }
        },
    ),
    Case(
        "steps defaults in the notebook's metadata",
        RIGHT,
        """
# %% step:a
x = 1
print(x)
# %% step:b prev:a
print(x)
""",
        inputs={"b": {"x": "a"}},
        metadata={
            "kubeflow_notebook": {
                "pipeline_name": "p",
                "base_image": "python:3.11",
                "steps_defaults": ["label:team:x", "limit:cpu:1"],
            }
        },
    ),
    Case(
        "a step with no code but comments",
        RIGHT,
        """
# %% step:a
x = 1
print(x)
# %% step:todo prev:a
# nothing yet
# %% step:b prev:todo
print(x)
""",
        inputs={"b": {"x": "a"}},
    ),
    Case(
        "no step at all",
        REFUSED,
        """
# %% imports
import math
# %%
""",
        also=(RIGHT,),
        why="nothing to run; a pipeline without steps is no pipeline",
    ),
    Case(
        "only one step",
        RIGHT,
        """
# %% step:only
x = 1
print(x)
""",
        inputs={"only": {}},
    ),
    Case(
        "a syntax error in a cell",
        REFUSED,
        """
# %% step:a
x = = 1
# %% step:b prev:a
print(x)
""",
    ),
    Case(
        "a syntax error in a skipped cell does no harm",
        RIGHT,
        """
# %% skip
x = = 1
# %% step:a
x = 1
print(x)
# %% step:b prev:a
print(x)
""",
        inputs={"b": {"x": "a"}},
    ),
    Case(
        "return, yield and break outside",
        REFUSED,
        """
# %% step:a
x = 1
return x
""",
    ),
    Case(
        "errors of several cells come in one run",
        REFUSED,
        """
# %% step:a prev:nowhere
print(undefined_one)
# %% step:b limit:cpu
print(undefined_two)
""",
        mentions=("nowhere", "undefined_one", "undefined_two", "limit"),
        why="issue 2.2: all diagnostics of a notebook in one run",
    ),
    Case(
        "imports and functions cells further down the notebook",
        RIGHT,
        """
# %% step:a
x = 1
print(x)
# %% imports
import math
# %% functions
def area(r):
    return round(math.pi * r, 2)
# %% step:b prev:a
print(area(x))
""",
        inputs={"b": {"x": "a"}},
    ),
    Case(
        "a functions cell that reads a step's variable at once",
        REFUSED,
        """
# %% step:a
x = 3
# %% functions
table = [x * i for i in range(3)]
# %% step:b prev:a
print(table)
""",
        also=(
            RIGHT,
            LOUD,
        ),
        mentions=("x",),
        why="functions cells run before inputs are loaded: x is not there yet",
    ),
]
