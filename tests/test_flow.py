"""What a step's code reads, binds and changes, found by running it in the abstract: tables.

In the tables `x` is certain, `x?` perhaps (a read that may find nothing, a binding or a change that may not happen),
`x-` deleted. Builtins are left out.
"""

from __future__ import annotations

import ast
import builtins

import pytest

from kalecompiler.facts import Grade, Status, Summary
from kalecompiler.flow import Flow
from kalecompiler.names import bound_names, mangled

MARKS = {Status.BOUND: "", Status.MAYBE: "?", Status.DELETED: "-"}

#: What a cell does: its reads from above, and what it leaves bound.
READS_AND_BINDINGS = {
    "a read": ("print(x)", "x", ""),
    "a name bound before": ("x = 1\nprint(x)", "", "x"),
    "read before it is bound": ("y = x\nx = 1", "x", "x y"),
    "augmented assignment": ("x += 1", "x", "x"),
    "bound in one branch": ("if c:\n    x = 1\nprint(x)", "c x?", "x?"),
    "bound in both branches": ("if c:\n    x = 1\nelse:\n    x = 2\nprint(x)", "c", "x"),
    "bound in one branch, the other raises": ("if c:\n    x = 1\nelse:\n    raise E\nprint(x)", "E c", "x"),
    "a loop that may run zero times": ("for i in xs:\n    y = i\nprint(y)", "xs y?", "i? y?"),
    "a loop over a literal": ("for i in [1, 2]:\n    y = i\nprint(y)", "", "i y"),
    "carried by the loop": ("for i in xs:\n    t = t + i", "t xs", "i? t?"),
    "while": ("while n:\n    n = n - 1\n    y = n", "n", "n? y?"),
    "while true": ("while True:\n    y = 1\n    break\nprint(y)", "", "y"),
    "try and except": ("try:\n    y = f()\nexcept E:\n    y = 0\nprint(y)", "E f", "y"),
    "a cache that may be there": (
        "try:\n    cache\nexcept NameError:\n    cache = {}\nprint(cache)",
        "cache?",
        "cache?",
    ),
    "finally": ("try:\n    f()\nfinally:\n    y = 1", "f", "y"),
    "except as is gone afterwards": ("try:\n    f()\nexcept E as e:\n    print(e)", "E f", "e?"),
    "with": ("with o as h:\n    y = h", "o", "h y"),
    "match": ("match p:\n    case [a]:\n        y = a\n    case _:\n        y = 0\nprint(y)", "p", "a? y"),
    "while true, bound below the break": ("while True:\n    if c:\n        break\n    y = 1", "c", "y?"),
    "match without a last case": ("match p:\n    case [a]:\n        y = a\nprint(y)", "p y?", "a? y?"),
    "short circuit": ("c and (y := 1)\nprint(y)", "c y?", "y?"),
    "conditional expression": ("z = (y := 1) if c else 2\nprint(y)", "c y?", "y? z"),
    "comprehension": ("z = [v + k for v in xs]", "k xs", "z"),
    "walrus in a comprehension": ("z = [m := v for v in xs]\nprint(m)", "m? xs", "m? z"),
    "bare annotation": ("x: int\nprint(x)", "x", ""),
    "annotation is evaluated": ("x: T = 1", "T", "x"),
    "delete": ("x = 1\ndel x", "", "x-"),
    "delete from above": ("del x", "x", "x-"),
    "delete in a branch": ("x = 1\nif c:\n    del x\nprint(x)", "c x?", "x?"),
    "a call reads the function's globals": ("def f():\n    return q\nf()", "q", "f"),
    "a function only defined reads nothing": ("def f():\n    return q", "", "f"),
    "late binding": ("def f():\n    return q\nq = 1\nf()", "", "f q"),
    "defaults are read at once": ("def f(a=q):\n    pass", "q", "f"),
    "a function behind a function": ("def f():\n    return q\ndef g():\n    return f()\ng()", "q", "f g"),
    "a conditional global read of a function": ("def f():\n    if c:\n        return q\nf()", "c q?", "f"),
    "a method": ("class A:\n    def m(self):\n        return q\nA().m()", "q?", "A"),
    "class body": ("class A:\n    k = K", "K", "A"),
    "a decorator": ("@d\ndef f():\n    pass", "d", "f"),
    "a function that binds a global": ("def f():\n    global q\n    q = 1\nf()\nprint(q)", "", "f q"),
    "a function that may bind a global": (
        "def f(c):\n    global q\n    if c:\n        q = 1\nf(0)\nprint(q)",
        "q?",
        "f q?",
    ),
    "exec of a literal": ("exec('x = y')", "y", "x"),
    "globals by name": ("globals()['x'] = globals()['y']", "y", "x"),
    "query": ("df.query('a > @limit')", "df limit?", ""),
}

#: What a cell changes in place of what stands above it.
CHANGES = {
    "item": ("x[0] = 1", "x"),
    "attribute": ("x.a = 1", "x"),
    "augmented item": ("x['a'] += 1", "x"),
    "delete of an item": ("del x[0]", "x"),
    "of an item of an item": ("x['a']['b'] = 1", "x"),
    "a known mutator of a list from here": ("x = []\nx.append(1)", ""),
    "an unknown method": ("x.frobnicate()", "x?"),
    "a pure method": ("x.lower()", ""),
    "an unknown function": ("from lib import f\nf(x)", "x?"),
    "a builtin": ("len(x)", ""),
    "a pure library": ("import numpy as np\nnp.mean(x)", ""),
    "a function that changes an argument": ("import random\nrandom.shuffle(x)", "x"),
    "an estimator that is fitted": ("from sklearn.svm import SVC\nm = SVC()\nm.fit(X, y)", ""),
    "inplace": ("df.dropna(inplace=True)", "df?"),
    "inplace of a frame": ("import pandas as pd\ndf = pd.DataFrame(x)\ndf.dropna(inplace=True)", "x?"),
    "a helper that changes its parameter": ("def g(d):\n    d['a'] = 1\ng(x)", "x"),
    "a helper that only reads": ("def g(d):\n    return d['a']\ng(x)", ""),
    "a helper of a helper": ("def h(e):\n    e.clear = 1\ndef g(d):\n    h(d)\ng(x)", "x"),
    "by keyword": ("def g(a, d):\n    d['a'] = 1\ng(d=x, a=y)", "x"),
    "a lambda": ("g = lambda d: d.update(a=1)\ng(x)", "x?"),
    "an alias": ("b = x\nb[0] = 1", "x"),
    "an alias through a conditional": ("b = x if c else y\nb[0] = 1", "x y"),
    "an element": ("b = x[0]\nb.a = 1", "x?"),
    "a loop's element": ("for r in x:\n    r['a'] = 1", "x"),
    "a loop over items": ("for k, v in x.items():\n    v.a = 1", "x"),
    "a copy": ("b = x.copy()\nb[0] = 1", ""),
    "a copy of a list": ("b = list(x)\nb[0] = 1", "x?"),
    "a slice of an unknown": ("b = x[1:]\nb[0] = 1", "x?"),
    "next": ("next(x)", "x"),
    "an iterator used up": ("it = iter(x)\nlist(it)", "x?"),
    "out=": ("import numpy as np\nnp.add(y, 1, out=x)", "x"),
    "setattr": ("setattr(x, 'a', 1)", "x"),
    "augmented name": ("x += [1]", "x?"),
    "changed in a branch": ("if c:\n    x[0] = 1", "x"),
    "in a comprehension": ("[r.update(a=1) for r in x]", "x?"),
    "global of a function": ("def f():\n    x.append(1)\nf()", "x?"),
    "handed to a method": ("y.frobnicate(x)", "x? y?"),
    "a method of a class of the notebook": (
        "class A:\n    def add(self):\n        self.n += 1\na = A()\nb = a\nb.add()",
        "",
    ),
    "a class that only reads": ("class A:\n    def show(self, o):\n        return o.n\nA().show(x)", ""),
    "a static method of an instance": (
        "class A:\n    @staticmethod\n    def put(d):\n        d['k'] = 1\na = A()\na.put(x)",
        "x",
    ),
    "a private parameter": ("class A:\n    def put(self, __d):\n        __d['k'] = 1\nA().put(x)", "x"),
    "an argument behind a star": ("def f(a, b, c):\n    c['k'] = 1\nf(*y, x)", "x? y?"),
    "a bound method handed on": ("list(map(x.append, y))", "x?"),
    "an attribute handed on": ("print(x.value, max(x.sizes))", ""),
    "the mode of a model": ("m.eval()", "m?"),
    "the place for a result": ("import numpy as np\nnp.clip(x, 0, 1, x)\nnp.dot(y, y, z)", "x z"),
    "an estimator that works in place": ("from sklearn.linear_model import Ridge\nRidge(copy_X=False).fit(X, y)", "X?"),
    "the place for a filter's result": ("from scipy import ndimage\nndimage.median_filter(y, 3, output=x)", "x"),
    "an estimator that works in place, by name": (
        "from sklearn.preprocessing import StandardScaler\ns = StandardScaler(copy=False)\nt = s\nt.fit_transform(X)",
        "X?",
    ),
    "what assignments run": (
        "class A:\n"
        "    @property\n    def p(self): return 1\n    @p.setter\n    def p(self, v): x.append(v)\n"
        "    def __setitem__(self, k, v): y[k] = v\n"
        "    def __delattr__(self, k): z.append(k)\n"
        "    def __iadd__(self, o): w.append(o)\n"
        "a = A()\na.p = 1\na['k'] = 2\ndel a.q\na += 1",
        "w? x? y z?",
    ),
    "what a function inside a function gives back": (
        "def f():\n    def g(x):\n        return x[0]\n    return str(g)\nb = f()\nb.a = 1",
        "",
    ),
    "what a helper puts into a container": (
        "def put(box, d):\n    box['d'] = d\nb = {}\nput(b, x)\nb['d']['k'] = 1",
        "x?",
    ),
    "what an object of the notebook keeps": (
        "class A:\n    def add(self, d):\n        self.all.append(d)\na = A()\na.add(x)\na.all[0].n = 1",
        "x?",
    ),
    "what a helper binds to a global": ("def put(d):\n    global g\n    g = d\nput(x)\ng.append(1)", "x?"),
    "packed into": ("import struct\nstruct.pack_into('i', x, 0, 1)", "x"),
    "a cast": ("from typing import cast\nb = cast(dict, x)\nb[0] = 1", "x?"),
    "one of several": ("import random\nrandom.choice(x).n = 1", "x?"),
    "the array of a frame": (
        "import pandas as pd\ndf = pd.DataFrame()\na = df.to_numpy()\nb = x.to_numpy()\nb[0] = 1",
        "x?",
    ),
    "a figure": ("import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nax.plot(x, y)", ""),
}


def summary(source: str) -> Summary:
    """What a cell with nothing above it does."""
    tree = mangled(ast.parse(source))
    flow = Flow(lambda name: None, bound_names(tree.body))
    flow.statements(tree.body)
    return flow.summary()


@pytest.mark.parametrize("label", READS_AND_BINDINGS)
def test_reads_and_bindings(label: str) -> None:
    source, reads, binds = READS_AND_BINDINGS[label]
    found = summary(source)
    read = {name: "" if r.hard else "?" for name, r in found.reads.items() if not hasattr(builtins, name)}
    assert " ".join(name + read[name] for name in sorted(read)) == reads
    assert " ".join(name + MARKS[found.binds[name].status] for name in sorted(found.binds)) == binds


@pytest.mark.parametrize("label", CHANGES)
def test_changes(label: str) -> None:
    source, changes = CHANGES[label]
    found = summary(source).changes
    marks = {name: "" if change.grade is Grade.DEFINITE else "?" for name, change in found.items()}
    assert " ".join(name + marks[name] for name in sorted(marks)) == changes


@pytest.mark.parametrize("label", READS_AND_BINDINGS)
def test_python_agrees_that_a_certain_read_fails_without_a_value(label: str) -> None:
    """Each hard read fails where everything else that the cell reads is there (E is read only where a cell fails)."""
    source, reads, _ = READS_AND_BINDINGS[label]
    for name in (r for r in reads.split() if not r.endswith("?") and r != "E"):
        present = {other.rstrip("?"): _Anything() for other in reads.split() if other != name}
        present |= {"E": KeyError} if "E" in present else {}
        with pytest.raises((NameError, KeyError), match=name):
            exec(compile(source, "cell", "exec", dont_inherit=True), {**present, "__name__": "__main__"})


class _Anything:
    """Stands for whatever a cell reads."""

    def __getattr__(self, name: str) -> _Anything:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *arguments: object, **named: object) -> _Anything:
        return self

    def __enter__(self) -> object:
        return self

    def __exit__(self, *error: object) -> bool:
        return False

    def __iter__(self) -> object:
        return iter([self])

    def __len__(self) -> int:
        return 1

    def __getitem__(self, key: object) -> _Anything:
        return self

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def __add__(self, other: object) -> _Anything:
        return self

    __sub__ = __radd__ = __add__

    def __bool__(self) -> bool:
        return True
