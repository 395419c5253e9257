"""Pipeline parameters: types, defaults, overrides. Pipeline metrics."""

from __future__ import annotations

from cases.case import REFUSED, RIGHT, WARNED, Case

CASES = [
    Case(
        "all literal types",
        RIGHT,
        """
# %% pipeline-parameters
i = 3
f = 0.5
s = "text"
b = True
l = [1, "two", 3.0]
d = {"k": [1, {"z": False}]}
neg = -7
big = 2**53
nothing = None
# %% step:a
print(i, f, s, b, l, d, neg, big, nothing)
print([type(v).__name__ for v in (i, f, s, b, l, d, neg, big, nothing)])
""",
        inputs={"a": {}},
        defaults={
            "i": 3,
            "f": 0.5,
            "s": "text",
            "b": True,
            "l": [1, "two", 3.0],
            "d": {"k": [1, {"z": False}]},
            "neg": -7,
            "big": 9007199254740992,
            "nothing": None,
        },
    ),
    Case(
        "floats that look like integers stay floats, and back",
        RIGHT,
        """
# %% pipeline-parameters
one = 1.0
big = 1e6
zero = -0.0
n = 10
items = [1.0, 2, True]
nested = {"f": 3.0, "i": 3}
# %% step:a
print(one, big, zero, n, items, nested)
print(type(one).__name__, type(n).__name__, [type(x).__name__ for x in items])
# %% step:b prev:a
print(one / 2, n // 3, range(n)[2])
""",
        why=("KFP carries integers as doubles: 1.0 must not become 1, nor 10 become 10.0; also inside lists and dicts"),
    ),
    Case(
        "None inside a list and an object",
        RIGHT,
        """
# %% pipeline-parameters
items = [1, None]
conf = {"limit": None, "k": [{"z": None}]}
# %% step:a
print(items, conf)
""",
        also=(REFUSED,),
        inputs={"a": {}},
        why=(
            "the spec decides None only at the top; inside, JSON has null: right, or refused with the reason,"
            " never dropped"
        ),
    ),
    Case(
        "strings with hard characters",
        RIGHT,
        r"""
# %% pipeline-parameters
q = "it's \"quoted\""
nl = "line1\nline2\ttab"
bs = "C:\\new\\table"
br = "{{workflow.name}} {{$.inputs}} {x} $(ls) `id` $HOME"
uni = "größe 变量 😀"
yml = "yes: no # - [a, {b: c}] & * ! | > %"
empty = ""
spaces = "  padded  "
py = "python3 -c"
zero = "a\x7fb"
# %% step:a
for v in (q, nl, bs, br, uni, yml, empty, spaces, py, zero):
    print(repr(v))
""",
        inputs={"a": {}},
    ),
    Case(
        "strings that look like other types",
        RIGHT,
        """
# %% pipeline-parameters
a1 = "1"
a2 = "true"
a3 = "null"
a4 = "1.0"
a5 = "[1, 2]"
a6 = "{}"
a7 = "2020-01-01"
a8 = "y"
# %% step:a
print([repr(v) for v in (a1, a2, a3, a4, a5, a6, a7, a8)])
""",
        inputs={"a": {}},
        defaults={
            "a1": "1",
            "a2": "true",
            "a3": "null",
            "a4": "1.0",
            "a5": "[1, 2]",
            "a6": "{}",
            "a7": "2020-01-01",
            "a8": "y",
        },
    ),
    Case(
        "false, zero and empty defaults",
        RIGHT,
        """
# %% pipeline-parameters
f = False
z = 0
zf = 0.0
e = ""
l = []
d = {}
# %% step:a
print(f, z, zf, repr(e), l, d)
""",
        inputs={"a": {}},
        defaults={"f": False, "z": 0, "zf": 0.0, "e": "", "l": [], "d": {}},
    ),
    Case(
        "constant expressions and annotated assignments",
        RIGHT,
        '''
# %% pipeline-parameters
"""The knobs."""
# seconds
timeout: int = 60 * 60
rate: float = 1e-3
ratio = 1 / 4
text = "a" "b" + "c"
mask = 0xFF | 1 << 8
many = 1_000_000
label: str = "x"
# %% step:a
print(timeout, rate, ratio, text, mask, many, label)
''',
        inputs={"a": {}},
        defaults={
            "timeout": 3600,
            "rate": 0.001,
            "ratio": 0.25,
            "text": "abc",
            "mask": 511,
            "many": 1000000,
            "label": "x",
        },
    ),
    Case(
        "an int given for a float, by its annotation",
        RIGHT,
        """
# %% pipeline-parameters
rate: float = 1
# %% step:a
print(rate * 2, type(rate).__name__ in ("int", "float"))
""",
        also=(
            REFUSED,
            WARNED,
        ),
        mentions=("rate",),
        why="the notebook's value is int 1 and prints 2; a float would print 2.0",
    ),
    Case(
        "optional parameter given as None",
        RIGHT,
        """
# %% pipeline-parameters
limit = None
name: str = None
# %% step:a
print(limit is None, name)
# %% step:b prev:a
print("all" if limit is None else limit)
""",
        inputs={"a": {}, "b": {}},
        defaults={"limit": None, "name": None},
    ),
    Case(
        "an optional parameter overridden",
        RIGHT,
        """
# %% pipeline-parameters
name: str = None
# %% step:a
print(name)
# %% step:b prev:a
print(name or "nobody")
""",
        arguments={"name": "someone"},
    ),
    Case(
        "parameters overridden, typed",
        RIGHT,
        """
# %% pipeline-parameters
n = 1
x = 0.5
flag = False
s = "old"
l = [1]
d = {"a": 1}
# %% step:a
print(n + 1, x, flag, s, l, d, type(n).__name__, type(x).__name__, type(flag).__name__)
""",
        arguments={"n": 5, "x": 2.5, "flag": True, "s": "new = value", "l": [1, 2.5, "z"], "d": {"b": {"c": []}}},
    ),
    Case(
        "a float overridden with a whole number stays float",
        RIGHT,
        """
# %% pipeline-parameters
x = 0.5
# %% step:a
print(x, type(x).__name__)
""",
        arguments={"x": 2.0},
    ),
    Case(
        "a string overridden with hard text",
        RIGHT,
        """
# %% pipeline-parameters
s = "plain"
# %% step:a
print(repr(s))
""",
        arguments={"s": "a'b\"c\\d {{x}} =ü"},
    ),
    Case(
        "an unused parameter",
        RIGHT,
        """
# %% pipeline-parameters
used = 1
unused = 2
# %% step:a
print(used)
# %% step:b prev:a
print("nothing")
""",
        inputs={"a": {}, "b": {}},
        defaults={"used": 1, "unused": 2},
    ),
    Case(
        "a parameter used only inside a function",
        RIGHT,
        """
# %% pipeline-parameters
scale = 4
# %% functions
def up(x):
    def inner():
        return x * scale
    return inner()
# %% step:a
print(up(2))
# %% step:b prev:a
print([up(i) for i in range(2)])
""",
        inputs={"a": {}, "b": {}},
        arguments={"scale": 3},
    ),
    Case(
        "a parameter used only in an f-string, a default and a decorator",
        RIGHT,
        """
# %% pipeline-parameters
p1 = "w"
p2 = 3
p3 = 2
# %% step:a
def times(n):
    return lambda f: lambda *a: f(*a) * n
@times(p3)
def f(x=p2):
    return x
print(f"{p1:>{p2}}", f())
# %% step:b prev:a
print(f())
""",
        why="b rebuilds f, so it needs p2 and p3",
    ),
    Case(
        "a parameter named like a builtin or a keyword's neighbour",
        RIGHT,
        """
# %% pipeline-parameters
id = 5
type = "t"
input = "in.csv"
lambda_ = 0.1
# %% step:a
print(id, type, input, lambda_)
""",
        also=(WARNED,),
        inputs={"a": {}},
    ),
    Case(
        "parameters whose names differ in case or underscores",
        RIGHT,
        """
# %% pipeline-parameters
LR = 1
lr = 2
l_r = 3
N_EPOCHS = 4
# %% step:a
print(LR, lr, l_r, N_EPOCHS)
""",
        also=(REFUSED,),
        inputs={"a": {}},
        why="KFP may rewrite names: each has its own rule, none may be mixed up",
    ),
    Case(
        "a parameter with a leading underscore",
        RIGHT,
        """
# %% pipeline-parameters
_seed = 3
# %% step:a
print(_seed)
""",
        also=(REFUSED,),
    ),
    Case(
        "two parameter cells",
        RIGHT,
        """
# %% pipeline-parameters
a = 1
# %% pipeline-parameters
b = 2
# %% step:s
print(a, b)
""",
        inputs={"s": {}},
        defaults={"a": 1, "b": 2},
    ),
    Case(
        "a parameter assigned twice",
        RIGHT,
        """
# %% pipeline-parameters
n = 1
n = 2
# %% step:s
print(n)
""",
        also=(REFUSED,),
        defaults={"n": 2},
    ),
    Case(
        "a parameter cell below a step that used the old value",
        REFUSED,
        """
# %% pipeline-parameters
n = 1
# %% step:a
print(n)
# %% pipeline-parameters
n = 2
# %% step:b prev:a
print(n)
""",
        also=(
            WARNED,
            RIGHT,
        ),
        mentions=("n",),
        why="one parameter has one default: a would print 2",
    ),
    Case(
        "several targets in a parameter cell",
        RIGHT,
        """
# %% pipeline-parameters
a, b = 1, 2
c = d = 3
e = 4; f = 5
# %% step:s
print(a, b, c, d, e, f)
""",
        also=(REFUSED,),
        why="assignments of literals: understood or refused, never half",
    ),
    Case(
        "a parameter that is computed from another",
        RIGHT,
        """
# %% pipeline-parameters
n = 2
m = n * 10
# %% step:s
print(n, m)
""",
        also=(REFUSED,),
        why="names are no constants: m would not follow an override of n",
    ),
]
