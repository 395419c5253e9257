"""What a blind reader of the rules found to be refused or silently different, and no longer is."""

from __future__ import annotations

from cases.case import RIGHT, Case

CASES = [
    Case(
        "id counter global",
        RIGHT,
        """
# %% functions
_next = 0
def new_id():
    global _next
    _next += 1
    return _next
class Node:
    def __init__(self, *kids): self.id, self.kids = new_id(), kids
# %% step:a
leaf = Node()
# %% step:b prev:a
tree = Node(leaf, Node())
# %% step:c prev:b
print(leaf.id, tree.id, [k.id for k in tree.kids], tree.kids[0] is leaf)
""",
    ),
    Case(
        "exception cause",
        RIGHT,
        """
# %% functions
class PipelineError(RuntimeError):
    pass
def guard(fn, *a):
    try:
        return fn(*a)
    except Exception as e:
        raise PipelineError(f"{fn.__name__} failed") from e
# %% step:a
failures = {}
try:
    guard(int, "x")
except PipelineError as err:
    failures["int"] = err
# %% step:b prev:a
print({k: (str(v), type(v.__cause__).__name__) for k, v in failures.items()})
""",
    ),
    Case(
        "custom exc ok",
        RIGHT,
        """
# %% functions
class ColError(Exception):
    def __init__(self, col, rows=0):
        self.col, self.rows = col, rows
        super().__init__(f"{col}: {rows}")
# %% step:a
problems = []
for c, n in [("a", 1), ("b", 2)]:
    try:
        raise ColError(c, rows=n)
    except ColError as e:
        problems.append(e)
# %% step:b prev:a
print([(p.col, p.rows, str(p)) for p in problems])
""",
    ),
    Case(
        "ann class functions cell",
        RIGHT,
        """
# %% imports
from dataclasses import dataclass
from typing import Optional
# %% functions
@dataclass
class Row:
    name: str
    v: Optional[int] = None
# %% step:a
r = Row("x")
# %% step:b prev:a
print(r)
""",
    ),
    Case(
        "ann class functions cell bare",
        RIGHT,
        """
# %% imports
from dataclasses import dataclass
from typing import Optional
# %% functions
@dataclass
class Row:
    name: str
    v: Optional[int]
# %% step:a
r = Row("x", 1)
# %% step:b prev:a
print(r)
""",
    ),
    Case(
        "ann future",
        RIGHT,
        """
# %% imports
from __future__ import annotations
from dataclasses import dataclass
# %% step:a
@dataclass
class Node:
    v: int
    nxt: Node | None = None
n = Node(1, Node(2))
# %% step:b prev:a
print(n)
""",
    ),
    Case(
        "exc value crossing simple",
        RIGHT,
        """
# %% functions
class MyErr(Exception): pass
# %% step:a
try:
    raise MyErr("x")
except MyErr as e:
    kept = e
# %% step:b prev:a
print(kept)
""",
    ),
    Case(
        "logged reads sidelist min",
        RIGHT,
        """
# %% functions
calls = []
def logged(fn):
    def w(*a):
        calls.append(fn.__name__)
        return fn(*a)
    return w
@logged
def clean(xs): return xs
# %% step:a
clean(1)
# %% step:b prev:a
print(calls)
""",
    ),
    Case(
        "logged reads sidelist step",
        RIGHT,
        """
# %% step:a
calls = []
def logged(fn):
    def w(*a):
        calls.append(fn.__name__)
        return fn(*a)
    return w
# %% step:b prev:a
@logged
def clean(xs): return xs
# %% step:c prev:b
clean(1)
# %% step:d prev:c
print(calls)
""",
    ),
    Case(
        "deco time registry global",
        RIGHT,
        """
# %% functions
import time
timings = {}
def timed(label):
    def deco(fn):
        def w(*a, **k):
            t = time.perf_counter()
            r = fn(*a, **k)
            timings[label] = time.perf_counter() - t >= 0
            return r
        return w
    return deco
# %% step:a
@timed("load")
def load(): return [1, 2]
rows = load()
# %% step:b prev:a
@timed("sum")
def tot(xs): return sum(xs)
s = tot(rows)
# %% step:c prev:b
print(sorted(timings), s)
""",
    ),
    Case(
        "helper calls param fn with state",
        RIGHT,
        """
# %% functions
def repeat(fn, n):
    return [fn() for _ in range(n)]
# %% step:a
count = 0
def tick():
    global count
    count += 1
    return count
# %% step:b prev:a
r = repeat(tick, 3)
# %% step:c prev:b
print(r, count)
""",
    ),
    Case(
        "strategy obj holds fn",
        RIGHT,
        """
# %% step:a
stats = {"calls": 0}
def strat(x):
    stats["calls"] += 1
    return x * 2
class Runner:
    def __init__(self, fn): self.fn = fn
    def run(self, xs): return [self.fn(x) for x in xs]
r = Runner(strat)
# %% step:b prev:a
ys = r.run([1, 2])
# %% step:c prev:b
print(ys, stats)
""",
    ),
    Case(
        "sk functiontransformer state",
        RIGHT,
        """
# %% imports
from sklearn.preprocessing import FunctionTransformer
from sklearn.pipeline import make_pipeline
import numpy as np
# %% step:a
shapes = []
def spy(X):
    shapes.append(X.shape); return X
pipe = make_pipeline(FunctionTransformer(spy))
# %% step:b prev:a
Z = pipe.fit_transform(np.ones((3, 2)))
# %% step:c prev:b
print(shapes)
""",
    ),
    Case(
        "sk scorer state",
        RIGHT,
        """
# %% imports
from sklearn.metrics import make_scorer
from sklearn.model_selection import cross_val_score
from sklearn.dummy import DummyClassifier
import numpy as np
# %% step:a
n = []
def acc(y, p):
    n.append(len(y)); return float((y == p).mean())
sc = make_scorer(acc)
X, y = np.zeros((6, 1)), np.array([0, 1] * 3)
# %% step:b prev:a
s = cross_val_score(DummyClassifier(), X, y, cv=2, scoring=sc)
# %% step:c prev:b
print(s, n)
""",
    ),
    Case(
        "logger setup fn",
        RIGHT,
        """
# %% imports
import logging, sys
# %% functions
def get_logger(name):
    lg = logging.getLogger(name)
    if not lg.handlers:
        lg.addHandler(logging.StreamHandler(sys.stdout))
        lg.setLevel(logging.DEBUG)
    return lg
log = get_logger("b3y")
# %% step:a
log.debug("a")
# %% step:b prev:a
log.debug("b")
""",
    ),
    Case(
        "ann class plain import module",
        RIGHT,
        """
# %% imports
import datetime as dt
# %% step:a
class Ev:
    when: dt.date
    name: str = "e"
e = Ev()
# %% step:b prev:a
print(e.name)
""",
    ),
    Case(
        "ann class from variable",
        RIGHT,
        """
# %% step:a
Num = (int, float)
# %% step:b prev:a
class P:
    x: Num
    n = 1
print(P.__annotations__["x"])
""",
    ),
    Case(
        "ann class nb type only",
        RIGHT,
        """
# %% functions
class Inner: k = 1
# %% step:a
class Outer:
    inner: Inner = None
o = Outer()
# %% step:b prev:a
print(o.inner)
""",
    ),
    Case(
        "super forwarding pipeline",
        RIGHT,
        """
# %% imports
import pandas as pd
# %% functions
class Report:
    def __init__(self, rows): self.rows = rows
    def __str__(self): return f"{len(self.rows)} rows"
class BaseModel:
    def evaluate(self, X):
        return Report([self.score(x) for x in X])
# %% step:a
class Linear(BaseModel):
    def __init__(self, w): self.w = w
    def score(self, x): return x * self.w
rep = Linear(2).evaluate([1, 2, 3])
# %% step:b prev:a
print(rep, rep.rows)
""",
    ),
    Case(
        "raise helper then keep",
        RIGHT,
        """
# %% functions
class Bad(Exception): pass
def check(v):
    if v > 1: raise Bad(f"v={v}")
# %% step:a
errs = []
for v in (1, 2, 3):
    try: check(v)
    except Bad as e: errs.append(e)
# %% step:b prev:a
print([str(e) for e in errs])
""",
    ),
    Case(
        "raise helper base exc",
        RIGHT,
        """
# %% functions
class Bad(Exception): pass
def check(v):
    if v > 1: raise Bad(f"v={v}")
# %% step:a
errs = []
for v in (1, 2, 3):
    try: check(v)
    except Exception as e: errs.append(e)
# %% step:b prev:a
print([str(e) for e in errs], type(errs[0]).__name__)
""",
    ),
    Case(
        "feature registry same step functions named",
        RIGHT,
        """
# %% step:a
FEATS = []
def feature(fn):
    FEATS.append(fn)
    return fn
@feature
def sq(x): return x * x
@feature
def neg(x): return -x
# %% step:b prev:a
print([f(3) for f in FEATS])
""",
    ),
    Case(
        "map over registry of methods",
        RIGHT,
        """
# %% step:a
class Clean:
    def __init__(self): self.log = []
    def lower(self, s): self.log.append("lower"); return s.lower()
    def strip(self, s): self.log.append("strip"); return s.strip()
cl = Clean()
# %% step:b prev:a
s = " A "
for name in ("lower", "strip"):
    s = getattr(cl, name)(s)
# %% step:c prev:b
print(repr(s), cl.log)
""",
    ),
    Case(
        "sentinel default roundtrip",
        RIGHT,
        """
# %% functions
_NONE = object()
class Opt:
    def __init__(self, v=_NONE): self.v = v
    def empty(self): return self.v is _NONE
# %% step:a
o = Opt()
print(o.empty())
# %% step:b prev:a
print(o.empty(), Opt().empty())
""",
    ),
    Case(
        "element identity is",
        RIGHT,
        """
# %% step:a
objs = [[1], [1]]
best = objs[1]
# %% step:b prev:a
print(best is objs[1], objs.index(best))
""",
    ),
    Case(
        "identity index loop",
        RIGHT,
        """
# %% step:a
class T:
    def __init__(self, n): self.n = n
ts = [T(1), T(2)]
cur = ts[1]
# %% step:b prev:a
print(ts.index(cur) if cur in ts else "lost")
""",
    ),
    Case(
        "identity remove",
        RIGHT,
        """
# %% step:a
class Ball:
    def __init__(self, x): self.x = x
balls = [Ball(1), Ball(2)]
target = balls[0]
# %% step:b prev:a
balls = [b for b in balls if b is not target]
# %% step:c prev:b
print(len(balls))
""",
    ),
    Case(
        "class body loop and comp",
        RIGHT,
        """
# %% step:a
base = [1, 2]
class T:
    total = 0
    for b in base: total += b
    del b
    names = [f"c{i}" for i in base]
    if total > 2:
        big = True
# %% step:b prev:a
base = []
print(T.total, T.names, T.big, hasattr(T, "b"))
""",
    ),
    Case(
        "cb loop only",
        RIGHT,
        """
# %% step:a
base = [1, 2]
class T:
    total = 0
    for b in base: total += b
# %% step:b prev:a
print(T.total)
""",
    ),
    Case(
        "cb list build",
        RIGHT,
        """
# %% step:a
class T:
    names = []
    for i in range(2):
        names.append(f"c{i}")
    table = {}
    table["k"] = 1
# %% step:b prev:a
print(T.names, T.table)
""",
    ),
    Case(
        "trained model registry loop",
        RIGHT,
        """
# %% imports
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import mean_squared_error as mse
import numpy as np
# %% functions
class Experiment:
    def __init__(self, name, est, **params):
        self.name, self.est, self.params, self.scores = name, est, params, {}
    def fit(self, X, y):
        self.model = self.est(**self.params).fit(X, y)
        return self
    def evaluate(self, X, y, metric):
        self.scores[metric.__name__] = float(metric(y, self.model.predict(X)))
# %% step:data
rng = np.random.default_rng(0)
X = rng.normal(size=(30, 2)); y = X @ [1, 2] + rng.normal(size=30) * .1
Xtr, Xte, ytr, yte = X[:20], X[20:], y[:20], y[20:]
# %% step:define prev:data
exps = [Experiment("lr", LinearRegression), Experiment("ridge", Ridge, alpha=10)]
# %% step:fit prev:define
for e in exps: e.fit(Xtr, ytr)
# %% step:eval prev:fit
for e in exps: e.evaluate(Xte, yte, mse)
best = min(exps, key=lambda e: e.scores[mse.__name__])
# %% step:report prev:eval
print(best.name, {e.name: round(e.scores["mean_squared_error"], 3) for e in exps}, best in exps)
""",
    ),
    Case(
        "best is in list",
        RIGHT,
        """
# %% step:a
class M:
    def __init__(self, s): self.s = s
ms = [M(1), M(3)]
# %% step:b prev:a
best = max(ms, key=lambda m: m.s)
# %% step:c prev:b
rest = [m for m in ms if m is not best]
print(len(rest), best in ms)
""",
    ),
    Case(
        "cbody with as",
        RIGHT,
        """
# %% imports
from contextlib import nullcontext
# %% step:a
class T:
    with nullcontext(3) as v:
        w = v + 1
# %% step:b prev:a
print(T.w)
""",
    ),
    Case(
        "cbody except",
        RIGHT,
        """
# %% step:a
class T:
    try:
        x = int("q")
    except ValueError as e:
        x = len(str(e)) > 0
# %% step:b prev:a
print(T.x)
""",
    ),
    Case(
        "cbody walrus tuple",
        RIGHT,
        """
# %% step:a
class T:
    a, (b, *c) = 1, (2, 3, 4)
    if (n := len(c)) > 1:
        k = n
# %% step:b prev:a
print(T.a, T.b, T.c, T.k)
""",
    ),
    Case(
        "cbody match",
        RIGHT,
        """
# %% step:a
class T:
    match [1, 2]:
        case [p, q]:
            s = p + q
# %% step:b prev:a
print(T.s)
""",
    ),
    Case(
        "cbody name read after del",
        RIGHT,
        """
# %% step:a
tmp = "global"
class T:
    tmp = "cls"
    a = tmp
    del tmp
    b = tmp
# %% step:b prev:a
print(T.a, T.b)
""",
    ),
    Case(
        "comprehension class scope read",
        RIGHT,
        """
# %% step:a
n = 3
class T:
    n = 2
    a = [n for _ in range(n)]
    b = [x for x in range(n)]
# %% step:b prev:a
print(T.a, T.b)
""",
    ),
    Case(
        "dataclass classvar",
        RIGHT,
        """
# %% imports
import dataclasses as dc
import typing as t
# %% functions
@dc.dataclass
class M:
    kind: t.ClassVar[str] = "base"
    v: int = 0
# %% step:a
m = M(2)
# %% step:b prev:a
print(m, M.kind)
""",
    ),
]
