"""Found in review: changes and bindings that the analysis did not see, so that a later step got an old value."""

from __future__ import annotations

from cases.case import RIGHT, Case

CASES = [
    Case(
        "a name bound below the break of an endless loop",
        RIGHT,
        """
# %% step:z
x = -1
# %% step:a prev:z
i = 0
while True:
    if i > 2:
        break
    x = i
    i += 1
# %% step:b prev:a
print(x)
""",
        inputs={"b": {"x": "a"}},
    ),
    Case(
        "a name bound above the continue of a loop",
        RIGHT,
        """
# %% step:z
last = None
# %% step:a prev:z
for i in [1, 2, 3]:
    if i < 3:
        last = i
        continue
# %% step:b prev:a
print(last)
""",
        inputs={"b": {"last": "a"}},
    ),
    Case(
        "an alias that only the second round of a loop makes",
        RIGHT,
        """
# %% step:a
d, b = [], []
# %% step:b prev:a
a = []
for i in [1, 2, 3]:
    a = b
    b = d
a.append(1)
# %% step:c prev:b
print(d)
""",
        inputs={"c": {"d": "b"}},
    ),
    Case(
        "keys of a mapping pattern",
        RIGHT,
        """
# %% step:a
class C:
    A = 1
# %% step:b prev:a
match {1: 2}:
    case {C.A: v}:
        print(v)
""",
    ),
    Case(
        "a class in a function reads annotations and class attributes",
        RIGHT,
        """
# %% step:a
kind = int
k = 0
def make():
    class A:
        k = 1
        x: kind = 3
        def get(self, n=k):
            return n
    return A
# %% step:b prev:a
print(make().__annotations__, make()().get())
""",
        inputs={"b": {"kind": "a"}},
    ),
    Case(
        "a helper of the shared cells that is perhaps another one",
        RIGHT,
        """
# %% functions
def prep(d):
    return 0
if bool(1):
    def prep(d):
        d["k"] = 1
    ready = True
# %% step:a
d = {}
# %% step:b prev:a
prep(d)
# %% step:c prev:b
print(d)
""",
        inputs={"c": {"d": "b"}},
    ),
    Case(
        "a helper that a step perhaps defines anew",
        RIGHT,
        """
# %% functions
def prep(d):
    d["k"] = 1
# %% step:a
d = {}
flag = False
# %% step:b prev:a
if flag:
    print(flag)
    def prep(d):
        return 0
prep(d)
# %% step:c prev:b
print(d)
""",
        inputs={"c": {"d": "b"}},
    ),
    Case(
        "a setting among the targets of a shared statement",
        RIGHT,
        """
# %% imports
import os
mode, os.environ["KALEC_ROW"] = "fast", "2"
old = os.umask(0o022)
# %% step:a
print(os.environ["KALEC_ROW"])
""",
    ),
]
