"""What a blind reader of the rules found to be refused or silently different, and no longer is."""

from __future__ import annotations

from cases.case import RIGHT, Case

CASES = [
    Case(
        "registry extended in step",
        RIGHT,
        """
# %% functions
REG = {}
def register(fn):
    REG[fn.__name__] = fn
    return fn
@register
def lower(s): return s.lower()
# %% step:a
text = " Hello World "
@register
def strip(s): return s.strip()
# %% step:b prev:a
for name in REG:
    text = REG[name](text)
print(repr(text), list(REG))
# %% step:c prev:b
@register
def title(s): return s.title()
print(list(REG), REG["title"](text))
""",
    ),
    Case(
        "callbacks in dict",
        RIGHT,
        """
# %% step:a
log = []
def on_start(e): log.append(("start", e))
def on_end(e): log.append(("end", e, len(log)))
hooks = {"start": [on_start], "end": [on_end]}
# %% step:b prev:a
for h in hooks["start"]: h(1)
# %% step:c prev:b
for k in hooks:
    for h in hooks[k]: h(2)
# %% step:d prev:c
print(log)
""",
    ),
    Case(
        "abc template",
        RIGHT,
        """
# %% imports
from abc import ABC, abstractmethod
import pandas as pd
# %% functions
class Step(ABC):
    @abstractmethod
    def run(self, df): ...
    def __or__(self, other):
        return Chain([self, other])
class Chain(Step):
    def __init__(self, steps): self.steps = steps
    def run(self, df):
        for s in self.steps: df = s.run(df)
        return df
    def __or__(self, other): return Chain(self.steps + [other])
# %% step:defs
class Drop(Step):
    def __init__(self, col): self.col = col
    def run(self, df): return df.drop(columns=self.col)
class Double(Step):
    def run(self, df): return df * 2
pipe = Drop("a") | Double()
# %% step:data prev:defs
df = pd.DataFrame({"a": [1], "b": [2]})
pipe = pipe | Double()
# %% step:run prev:data
print(pipe.run(df).to_dict("list"), len(pipe.steps))
try:
    Step()
except TypeError as e:
    print("abstract")
""",
    ),
    Case(
        "init subclass registry",
        RIGHT,
        """
# %% functions
class Plugin:
    plugins = []
    def __init_subclass__(cls, **kw):
        super().__init_subclass__(**kw)
        Plugin.plugins.append(cls.__name__)
class A(Plugin): pass
class B(Plugin): pass
# %% step:a
print(Plugin.plugins)
# %% step:b prev:a
print(sorted(Plugin.plugins), A().plugins is Plugin.plugins)
""",
    ),
    Case(
        "fn reads list hidden in tuple",
        RIGHT,
        """
# %% step:a
events = []
def note(e): events.append(e)
handlers = (note, len)
# %% step:b prev:a
handlers[0]("x")
# %% step:c prev:b
print(events)
""",
    ),
    Case(
        "fn in instance attr",
        RIGHT,
        """
# %% step:a
hist = {"n": 0}
def cb(k): hist["n"] += k
class Trainer:
    def __init__(self, callbacks): self.callbacks = callbacks
    def run(self, k):
        for c in self.callbacks: c(k)
t = Trainer([cb])
# %% step:b prev:a
t.run(3)
# %% step:c prev:b
t.run(4)
# %% step:d prev:c
print(hist)
""",
    ),
    Case(
        "chain same list iter",
        RIGHT,
        """
# %% imports
import itertools as it
# %% step:a
src = [1, 2]
cyc = it.cycle(src)
cnt = it.count(5, 5)
# %% step:b prev:a
src.append(3)
a = [next(cyc) for _ in range(3)]
# %% step:c prev:b
print(a, [next(cyc) for _ in range(3)], next(cnt))
# %% step:d prev:c
print(next(cnt), src)
""",
    ),
    Case(
        "dict by object",
        RIGHT,
        """
# %% step:a
class K: pass
k1, k2 = K(), K()
d = {k1: "one", k2: "two"}
# %% step:b prev:a
print(d[k1], d.get(k2))
""",
    ),
    Case(
        "sentinel in functions",
        RIGHT,
        """
# %% functions
MISSING = object()
def get(d, k, default=MISSING):
    v = d.get(k, default)
    return "missing" if v is MISSING else v
# %% step:a
conf = {"a": 1}
conf["b"] = MISSING
print(get(conf, "b"))
# %% step:b prev:a
print(get(conf, "b"), get(conf, "z"), conf["b"] is MISSING)
""",
    ),
    Case(
        "subclasses call",
        RIGHT,
        """
# %% functions
class Loader:
    pass
class CsvLoader(Loader):
    def name(self): return "csv"
class JsonLoader(Loader):
    def name(self): return "json"
# %% step:a
print([c().name() for c in Loader.__subclasses__()])
# %% step:b prev:a
print(len(Loader.__subclasses__()))
""",
    ),
    Case(
        "custom exception",
        RIGHT,
        """
# %% functions
class DataError(Exception):
    def __init__(self, col, msg):
        super().__init__(msg)
        self.col = col
# %% step:a
errs = []
try:
    raise DataError("x", "bad")
except DataError as e:
    errs.append(e)
# %% step:b prev:a
print(errs[0].col, errs[0], isinstance(errs[0], DataError))
""",
    ),
    Case(
        "registry named",
        RIGHT,
        """
# %% functions
REG = {}
def register(fn):
    REG[fn.__name__] = fn
    return fn
# %% step:a
@register
def strip(s): return s.strip()
# %% step:b prev:a
print(REG["strip"](" x "))
""",
    ),
    Case(
        "registry in step",
        RIGHT,
        """
# %% step:a
REG = {}
def register(fn):
    REG[fn.__name__] = fn
    return fn
# %% step:b prev:a
@register
def strip(s): return s.strip()
# %% step:c prev:b
print(REG["strip"](" x "))
""",
    ),
    Case(
        "registry method",
        RIGHT,
        """
# %% imports
# %% functions
class Registry:
    def __init__(self): self.items = {}
    def add(self, name):
        def deco(fn):
            self.items[name] = fn
            return fn
        return deco
reg = Registry()
# %% step:a
@reg.add("strip")
def strip(s): return s.strip()
# %% step:b prev:a
@reg.add("up")
class Up:
    def __call__(self, s): return s.upper()
# %% step:c prev:b
print(reg.items["strip"](" x "), reg.items["up"]()("y"), list(reg.items))
""",
    ),
    Case(
        "type call",
        RIGHT,
        """
# %% step:a
Dyn = type("Dyn", (), {"x": 1, "get": lambda self: self.x})
d = Dyn()
# %% step:b prev:a
print(d.get(), isinstance(d, Dyn))
""",
    ),
    Case(
        "make dataclass call",
        RIGHT,
        """
# %% imports
from dataclasses import make_dataclass
from collections import namedtuple
# %% step:a
C = make_dataclass("C", [("x", int)])
c = C(1)
N = namedtuple("Nx", "a b")
n = N(1, 2)
# %% step:b prev:a
print(c, n, isinstance(c, C))
""",
    ),
    Case(
        "cb dict changes list",
        RIGHT,
        """
# %% step:a
log = []
def on_end(e): log.append(e)
hooks = {"end": on_end}
# %% step:b prev:a
hooks["end"](1)
# %% step:c prev:b
print(log)
""",
    ),
    Case(
        "cb list loop changes",
        RIGHT,
        """
# %% step:a
log = []
def one(e): log.append(e)
def two(e): log.append(-e)
hooks = [one, two]
# %% step:b prev:a
for h in hooks:
    h(1)
# %% step:c prev:b
print(log)
""",
    ),
    Case(
        "cb partial changes",
        RIGHT,
        """
# %% imports
from functools import partial
# %% step:a
log = []
def on(k, e): log.append((k, e))
h = partial(on, "k")
# %% step:b prev:a
h(1)
# %% step:c prev:b
print(log)
""",
    ),
    Case(
        "cb passed to helper",
        RIGHT,
        """
# %% functions
def run(cb, xs):
    for x in xs: cb(x)
# %% step:a
log = []
def on(e): log.append(e)
# %% step:b prev:a
run(on, [1, 2])
# %% step:c prev:b
print(log)
""",
    ),
    Case(
        "cb returned by helper",
        RIGHT,
        """
# %% step:a
log = []
def on(e): log.append(e)
def off(e): log.append(None)
def pick(flag): return on if flag else off
# %% step:b prev:a
pick(True)(5)
# %% step:c prev:b
cb = pick(False); cb(1)
# %% step:d prev:c
print(log)
""",
    ),
    Case(
        "cb dispatch dict globals",
        RIGHT,
        """
# %% step:a
total = 0
def inc(n):
    global total
    total += n
def dec(n):
    global total
    total -= n
ops = {"inc": inc, "dec": dec}
# %% step:b prev:a
for op, n in [("inc", 5), ("dec", 2)]:
    ops[op](n)
# %% step:c prev:b
print(total)
""",
    ),
    Case(
        "cb in dataclass",
        RIGHT,
        """
# %% imports
from dataclasses import dataclass
from typing import Callable
# %% step:a
log = []
def on(e): log.append(e)
@dataclass
class Task:
    fn: Callable
t = Task(on)
# %% step:b prev:a
t.fn(1)
# %% step:c prev:b
print(log)
""",
    ),
    Case(
        "cb lambda in list",
        RIGHT,
        """
# %% step:a
log = []
hs = [lambda e: log.append(e), lambda e: log.append(-e)]
# %% step:b prev:a
for h in hs: h(2)
# %% step:c prev:b
print(log)
""",
    ),
    Case(
        "cb sub decorator",
        RIGHT,
        """
# %% step:a
class Bus:
    def __init__(self): self.subs = []
    def on(self, f):
        self.subs.append(f); return f
    def emit(self, e):
        for f in self.subs: f(e)
bus = Bus()
seen = []
@bus.on
def record(e): seen.append(e)
# %% step:b prev:a
bus.emit(1)
# %% step:c prev:b
bus.emit(2)
print(seen)
""",
    ),
    Case(
        "ann 1",
        RIGHT,
        """
# %% imports
from dataclasses import dataclass
from typing import Callable
# %% step:a
@dataclass
class Task:
    fn: Callable
t = Task(len)
# %% step:b prev:a
print(t.fn([1]))
""",
    ),
    Case(
        "ann 2",
        RIGHT,
        """
# %% imports
from typing import Callable
# %% step:a
class Task:
    fn: Callable
t = Task()
# %% step:b prev:a
print(type(t).__name__)
""",
    ),
    Case(
        "ann 4",
        RIGHT,
        """
# %% imports
from dataclasses import dataclass, field
from typing import Optional, Dict
# %% step:a
@dataclass
class Conf:
    name: str
    extra: Dict[str, int] = field(default_factory=dict)
    parent: Optional["Conf"] = None
c = Conf("x")
# %% step:b prev:a
c.extra["k"] = 1
# %% step:c prev:b
print(c)
""",
    ),
    Case(
        "ann 5",
        RIGHT,
        """
# %% imports
from dataclasses import dataclass
from typing import Callable
# %% step:a
log = []
def on(e): return e
@dataclass
class Task:
    fn: Callable
t = Task(on)
# %% step:b prev:a
t.fn(1)
print(t.fn(2))
""",
    ),
    Case(
        "abc or",
        RIGHT,
        """
# %% functions
class Step:
    def __or__(self, other): return Chain([self, other])
class Chain(Step):
    def __init__(self, steps): self.steps = steps
# %% step:a
class Double(Step): pass
pipe = Double() | Double()
# %% step:b prev:a
print(len(pipe.steps))
""",
    ),
    Case(
        "inherit returns",
        RIGHT,
        """
# %% functions
class Result:
    v = 1
class Base:
    def run(self): return Result()
# %% step:a
class Sub(Base): pass
r = Sub().run()
# %% step:b prev:a
print(r.v)
""",
    ),
    Case(
        "inherit super returns",
        RIGHT,
        """
# %% functions
class Result:
    v = 1
class Base:
    def run(self): return Result()
# %% step:a
class Sub(Base):
    def run(self):
        r = super().run(); r.v = 2
        return r
r = Sub().run()
# %% step:b prev:a
print(r.v)
""",
    ),
    Case(
        "inherit chain or two steps",
        RIGHT,
        """
# %% step:a
class Chain:
    def __init__(self, s): self.s = s
    def __or__(self, o): return Chain(self.s + [o])
class Node:
    def __or__(self, o): return Chain([self, o])
# %% step:b prev:a
class X(Node): n = 1
p = X() | X()
# %% step:c prev:b
p = p | X()
# %% step:d prev:c
print(len(p.s), [x.n for x in p.s])
""",
    ),
    Case(
        "reg method deco",
        RIGHT,
        """
# %% functions
class Registry:
    def __init__(self): self.items = {}
    def add(self, fn):
        self.items[fn.__name__] = fn
        return fn
reg = Registry()
# %% step:a
@reg.add
def strip(s): return s.strip()
# %% step:b prev:a
print(list(reg.items))
""",
    ),
    Case(
        "reg class deco",
        RIGHT,
        """
# %% functions
MODELS = {}
def model(cls):
    MODELS[cls.__name__] = cls
    return cls
# %% step:a
@model
class Lin:
    def predict(self): return 1
# %% step:b prev:a
print(MODELS["Lin"]().predict())
""",
    ),
    Case(
        "deco with args in step",
        RIGHT,
        """
# %% step:a
routes = {}
def route(path):
    def deco(fn):
        routes[path] = fn
        return fn
    return deco
@route("/a")
def pa(): return "A"
# %% step:b prev:a
@route("/b")
def pb(): return "B" + pa()
# %% step:c prev:b
print({k: f() for k, f in routes.items()})
""",
    ),
    Case(
        "init subclass all in one cell",
        RIGHT,
        """
# %% functions
class P:
    reg = {}
    def __init_subclass__(cls): P.reg[cls.__name__] = cls
class A(P):
    def go(self): return "a"
# %% step:a
print(P.reg["A"]().go())
# %% step:b prev:a
print(sorted(P.reg))
""",
    ),
    Case(
        "timer decorator log",
        RIGHT,
        """
# %% imports
import functools
# %% functions
calls = []
def logged(fn):
    @functools.wraps(fn)
    def w(*a, **k):
        calls.append(fn.__name__)
        return fn(*a, **k)
    return w
@logged
def clean(xs): return [x for x in xs if x]
@logged
def total(xs): return sum(xs)
# %% step:a
xs = clean([1, 0, 2])
# %% step:b prev:a
t = total(xs)
# %% step:c prev:b
print(calls, t)
""",
    ),
]
