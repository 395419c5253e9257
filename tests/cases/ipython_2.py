"""IPython's syntax, display, imports, unicode, asynchronous code."""

from __future__ import annotations

from cases.case import LOUD, REFUSED, RIGHT, Case

CASES = [
    Case(
        "a module beside the notebook that imports another",
        RIGHT,
        """
# %% imports
import first
# %% step:a
x = first.go()
print(x)
# %% step:b prev:a
print(first.go() + x)
""",
        inputs={"b": {"x": "a"}},
        files={"first.py": "import second\ndef go():\n    return second.K\n", "second.py": "K = 5\n"},
    ),
    Case(
        "an import in one step used in another",
        RIGHT,
        """
# %% step:a
import numpy as np
from math import sqrt as root
x = np.ones(2)
print(x)
# %% step:b prev:a
print(np.sum(x), root(9))
# %% step:c prev:b
print(np.zeros(1))
""",
        inputs={"b": {"x": "a"}, "c": {}},
    ),
    Case(
        "an import that fails is not needed by the step",
        RIGHT,
        """
# %% imports
import math
try:
    import totally_missing_module
except ImportError:
    totally_missing_module = None
# %% step:a
print(totally_missing_module is None, math.floor(1.5))
# %% step:b prev:a
print(totally_missing_module)
""",
        why=("guarded import: must not become a requirement that pip cannot find; the run must not need the network"),
    ),
    Case(
        "future imports and stdlib are no packages",
        RIGHT,
        """
# %% imports
from __future__ import annotations
import os.path, sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping
# %% step:a
x = ET.fromstring("<a b='1'/>").get("b")
print(x, isinstance({}, Mapping))
# %% step:b prev:a
print(x, os.path.sep == os.sep)
""",
        inputs={"b": {"x": "a"}},
        packages={"a": [], "b": []},
    ),
    Case(
        "submodule imports and attribute access",
        RIGHT,
        """
# %% imports
import os
import importlib.util
import concurrent.futures as cf
# %% step:a
with cf.ThreadPoolExecutor(1) as pool:
    r = pool.submit(pow, 2, 3).result()
print(r, importlib.util.find_spec("json") is not None)
# %% step:b prev:a
print(r, os.path.basename("a/b"))
""",
        inputs={"b": {"r": "a"}},
    ),
    Case(
        "an import under a name that a step rebinds",
        RIGHT,
        """
# %% imports
import time
import random as rnd
# %% step:a
time = 5
print(time)
# %% step:b prev:a
print(time + 1)
""",
        inputs={"b": {"time": "a"}},
    ),
    Case(
        "a function that imports inside",
        RIGHT,
        """
# %% functions
def parse(t):
    import json
    from decimal import Decimal
    return json.loads(t, parse_float=Decimal)
# %% step:a
v = parse("[1.5]")
print(v)
# %% step:b prev:a
print(v[0] * 2)
""",
        inputs={"b": {"v": "a"}},
    ),
    Case(
        "a module used as a value",
        RIGHT,
        """
# %% imports
import math
import cmath
# %% step:a
backend = math
print(backend.sqrt(4))
# %% step:b prev:a
print(backend.sqrt(9))
""",
        also=(
            REFUSED,
            LOUD,
        ),
        why="a module does not pickle: carried as a definition, or loud",
    ),
    Case(
        "multiprocessing with a notebook function",
        RIGHT,
        """
# %% imports
from multiprocessing import get_context
# %% functions
def cube(x):
    return x ** 3
# %% step:a
with get_context("fork").Pool(2) as pool:
    out = pool.map(cube, [1, 2, 3])
print(out)
# %% step:b prev:a
print(sum(out))
""",
        inputs={"b": {"out": "a"}},
        why="cells run in a real __main__, so fork and pickle by reference work",
    ),
    Case(
        "inspect.getsource and pickle.dumps of notebook code",
        RIGHT,
        """
# %% imports
import inspect
import pickle
# %% functions
def f(x):
    return x + 1  # the comment
class K:
    v = 1
# %% step:a
blob = pickle.dumps([f, K, K()])
print(len(blob) > 10)
# %% step:b prev:a
g, C, k = pickle.loads(blob)
print(g(1), k.v, C is K, g is f)
""",
        inputs={"b": {"blob": "a"}},
        why="the bytes name __main__.f and K, which b's text does name",
    ),
    Case(
        "top-level await, async for and async with",
        RIGHT,
        """
# %% imports
import asyncio
from contextlib import asynccontextmanager
# %% functions
async def fetch(n):
    await asyncio.sleep(0)
    return n * scale
async def count(n):
    for i in range(n):
        yield i
@asynccontextmanager
async def session(name):
    yield name + "!"
# %% step:a
scale = 10
r = await fetch(2)
print(r)
# %% step:b prev:a
rs = await asyncio.gather(*[fetch(i) for i in range(3)])
async for last in count(4):
    pass
async with session("s") as s:
    print(rs, last, s)
# %% step:c prev:b
print(rs, last, s, r)
""",
        inputs={"b": {"scale": "a"}, "c": {"rs": "b", "last": "b", "s": "b", "r": "a"}},
        why="async for may run zero times: no old `last` above",
    ),
    Case(
        "an async comprehension at the top level",
        RIGHT,
        """
# %% functions
async def gen():
    for i in range(4):
        yield i
# %% step:a
xs = [i async for i in gen() if i % 2]
print(xs)
# %% step:b prev:a
i = 100
ys = {i: i * k async for i in gen() for k in [2]}
print(ys)
# %% step:c prev:b
print(xs, ys, i)
""",
        inputs={"c": {"xs": "a", "ys": "b", "i": "b"}},
    ),
    Case(
        "await in a step that defines the coroutine of another",
        RIGHT,
        """
# %% step:a
factor = 2
async def work(x):
    return x * factor
out = await work(4)
print(out)
# %% step:b prev:a
factor = 5
print(await work(1))
# %% step:c prev:b
print(await work(1), (await work(2)) + 1)
""",
        inputs={"c": {"factor": "b"}},
    ),
    Case(
        "an async task that changes a global",
        RIGHT,
        """
# %% imports
import asyncio
# %% step:a
seen = []
async def add(x):
    await asyncio.sleep(0)
    seen.append(x)
# %% step:b prev:a
await asyncio.gather(add(1), add(2))
print(sorted(seen))
# %% step:c prev:b
print(sorted(seen))
""",
        inputs={"b": {"seen": "a"}, "c": {"seen": "b"}},
    ),
    Case(
        "a coroutine object cannot cross",
        LOUD,
        """
# %% step:a
async def w():
    return 5
coro = w()
print("made")
# %% step:b prev:a
print(await coro)
""",
        also=(REFUSED,),
        mentions=("coro",),
    ),
    Case(
        "unicode everywhere",
        RIGHT,
        r"""
# %% step:a
π = 3.14
naïve = "ünï ☃ 😀\u2028|"
d = {"ключ": [π]}
print(naïve.encode("utf-8"), d)
# %% step:b prev:a
print(π, naïve == "ünï ☃ 😀\u2028|", d["ключ"])
""",
        inputs={"b": {"π": "a", "naïve": "a", "d": "a"}},
    ),
    Case(
        "unicode names of parameters, functions and classes",
        RIGHT,
        """
# %% pipeline-parameters
größe = 3
# %% functions
def подсчёт(x):
    return x * größe
class Café:
    été = 1
# %% step:a
c = Café()
print(подсчёт(2), c.été)
# %% step:b prev:a
print(подсчёт(1), c.été)
""",
        also=(REFUSED,),
        why="KFP's parameter names are ASCII-ish: refused with a reason, or right",
    ),
    Case(
        "surrogates, control characters and line separators in source",
        RIGHT,
        r"""
# %% step:a
s = "a\x00b\ud800c"[:2]
t = "tab	here" + chr(0x85) + chr(0x2028) + "﻿bom"
print(ascii(s), ascii(t))
# %% step:b prev:a
print(ascii(s), ascii(t))
""",
        inputs={"b": {"s": "a", "t": "a"}},
    ),
    Case(
        "braces, python3 and placeholders in source",
        RIGHT,
        """
# %% step:a
a = "{{$.inputs.parameters['x']}} {{workflow.uid}} }} {{"
b = "python3 -m x"
c = f"{{{len(a)}}}"
d = {"k": {"n": {}}}
print(a, b, c, d)
# %% step:b prev:a
print(a, b, c, "{{}}", "python3")
""",
        inputs={"b": {"a": "a", "b": "a", "c": "a"}},
        why="section 6: the launcher substitutes `{{`, kfp.local replaces python3",
    ),
    Case(
        "triple quotes, backslashes and raw strings in source",
        RIGHT,
        r'''
# %% step:a
a = """He said "hi" and 'bye' \\ \n"""
b = r"\d+\n\\"
c = 'a\
b'
d = b"\x00\xff"
e = "\N{SNOWMAN}"
print(repr(a), b, c, d, e)
# %% step:b prev:a
print(repr(a), b, c, d, e)
''',
        inputs={"b": {"a": "a", "b": "a", "c": "a", "d": "a", "e": "a"}},
    ),
    Case(
        "tabs and trailing spaces in source",
        RIGHT,
        """
# %% step:a
if True:
	x = 1   
	if x:
		y = 2
   
print(x, y)	
# %% step:b prev:a
print(x, y)
""",
        inputs={"b": {"x": "a", "y": "a"}},
    ),
    Case(
        "display and rich reprs",
        RIGHT,
        """
# %% step:a
class Rich:
    def __init__(self):
        self.shown = 0
    def _repr_html_(self):
        return "<b>rich</b>"
r = Rich()
display(r)
display({"k": 1}, [2])
r
# %% step:b prev:a
r
print(r.shown)
""",
    ),
    Case(
        "a figure is displayed and the step goes on",
        RIGHT,
        """
# %% imports
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
# %% step:a
fig, ax = plt.subplots()
ax.plot([1, 2], [3, 4])
plt.show()
n = len(ax.lines)
print(n)
# %% step:b prev:a
print(n)
""",
        inputs={"b": {"n": "a"}},
    ),
    Case(
        "IPython.display imports",
        RIGHT,
        """
# %% imports
from IPython.display import HTML, Markdown, display, clear_output
# %% step:a
display(HTML("<i>x</i>"), Markdown("**b**"))
x = 1
print(x)
# %% step:b prev:a
HTML("<b>y</b>")
print(x)
""",
        inputs={"b": {"x": "a"}},
        why="IPython is installed here; on a bare image it would be a package",
    ),
    Case(
        "input is refused",
        REFUSED,
        """
# %% step:a
name = input("who? ") if True else "x"
print(name)
""",
        also=(LOUD,),
        mentions=("input",),
    ),
    Case(
        "an exception stops the step with cell and line",
        LOUD,
        """
# %% step:load
values = [1, 0]
# %% step:work prev:load
print("before")
ratio = values[0] / values[1]
print("after")
# %% step:after prev:work
print(ratio)
""",
        mentions=("ZeroDivisionError", "work", "ratio = values[0] / values[1]"),
    ),
    Case(
        "sys.exit in a cell fails the step",
        LOUD,
        """
# %% imports
import sys
# %% step:a
x = 1
sys.exit("stop here")
# %% step:b prev:a
print(x)
""",
        mentions=("stop here",),
    ),
    Case(
        "printing to stderr and logging go to the log",
        RIGHT,
        """
# %% imports
import logging
import sys
# %% step:a
print("to stderr", file=sys.stderr)
logging.warning("careful")
sys.stdout.write("no newline")
x = 1
# %% step:b prev:a
print(x, end="")
print("", "end")
""",
        inputs={"b": {"x": "a"}},
    ),
    Case(
        "a lot of output and a progress bar with carriage returns",
        RIGHT,
        r"""
# %% step:a
for i in range(2000):
    print("line", i)
print("50%\r100%")
x = 1
# %% step:b prev:a
print(x)
""",
        inputs={"b": {"x": "a"}},
    ),
    Case(
        "a cell whose last line shows nothing new but runs",
        RIGHT,
        """
# %% step:a
xs = [3, 1]
xs.sort()
xs.append(5)
# %% step:a
xs.pop()
# %% step:b prev:a
print(xs)
""",
        inputs={"b": {"xs": "a"}},
        why="last expressions are executed once, not twice",
    ),
]
