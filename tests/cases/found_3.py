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
]
