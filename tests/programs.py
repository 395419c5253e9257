"""Small notebooks of several steps, written by hypothesis: assignments, functions, mutation, branches, loops, aliases.

A statement uses only names that stand above it, so that most programs run; where it does not, the oracle says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy], object]

#: What a statement makes (`<`), and what it is made of, by kind of value: i int, l list, d dict, m list of lists,
#: o object, a array, g generator of numbers, t iterator; f function of an int, u mutator of a list, c counter.
#: `{<i}` is a name to bind, `{i}` one that is bound, `{#}` a small number.
STATEMENTS = {
    "constant": "{<i} = {#}",
    "sum": "{<i} = {i} + {#}",
    "augmented": "{i} += {#}",
    "swap": "{i0}, {i1} = {i1}, {i0}",
    "list": "{<l} = [{#}, {#}]",
    "alias": "{<l} = {l}",
    "copy": "{<l} = list({l})",
    "slice": "{<l} = {l}[1:]",
    "append": "{l}.append({i})",
    "item": "{l}[0] = {i}",
    "extend": "{l} += [{#}]",
    "length": "{<i} = len({l})",
    "choice": "{<l} = {l0} if {i} % 2 else {l1}",
    "or": "{<l} = {l0} or {l1}",
    "comprehension": "{<l} = [v + {i} for v in {l}]",
    "walrus": "if ({<i} := len({l})) > 2:\n    print('long')",
    "dict": '{<d} = {"k": {#}}',
    "key": '{d}["k"] = {i}',
    "update": "{d}.update(n={i})",
    "merged": "{<d} = {**{d}, 'z': {#}}",
    "value": '{<i} = {d}["k"]',
    "nested": "{<m} = [{l0}, {l1}]",
    "inner": "{m}[0].append({#})",
    "taken": "{<l} = {m}[0]",
    "loop changes": "for row in {m}:\n    row.append({#})",
    "object": "{<o} = Box({i})",
    "holder": "{<o} = Box({l})",
    "attribute": "{o}.v = {#}",
    "method": "{o}.touch()",
    "read attribute": "print({o}.v)",
    "array": "{<a} = np.arange({#} + 2)",
    "view": "{<a} = {a}[1:]",
    "array item": "{a}[:1] = {i}",
    "array in place": "{a} += 1",
    "array sum": "{<i} = int({a}.sum())",
    "generator": "{<g} = np.random.default_rng({#})",
    "drawn": "{<i} = int({g}.integers(9))",
    "seed": "{<s} = random.seed({#})",
    "global draw": "{<i} = random.randint(0, 99) if {s} is None else 0",
    "iterator": "{<t} = iter(list({l}))",
    "next": "{<i} = next({t}, 0)",
    "conditional": "if {i} % 2:\n    {<?i} = {#}",
    "either": "if {i} > 2:\n    {<i} = {#}\nelse:\n    {<=i} = 0",
    "conditional change": "if {i} % 2:\n    {l}.append({#})",
    "zero trips": "for v in range({i} % 3):\n    {<?i} = v",
    "loop": "for v in {l}[:3]:\n    {i} += v",
    "while": "while {i} % 3:\n    {i} += 1",
    "missing": "try:\n    {i}\nexcept NameError:\n    {<?i} = {#}",
    "caught": "try:\n    {l}[{#}] = 1\nexcept IndexError:\n    {l}.append(0)",
    "function": "def {<f}(x):\n    return x + {i}",
    "default": "def {<f}(x, y={i}):\n    return x + y",
    "lambda": "{<f} = lambda x: x * 2 + {i}",
    "outer": "def {<f}(x):\n    return {f}(x) + 1",
    "remembering": "def {<f}(x):\n    {l}.append(x)\n    return x",
    "mutator": "def {<u}(rows):\n    rows.append({#})\n    return rows",
    "counter": "def {<c}():\n    global {i}\n    {i} = {i} + 1",
    "call": "{<i} = {f}({i})",
    "call mutator": "{u}({l})",
    "kept mutator": "{<l} = {u}({l})",
    "count": "{c}()",
    "mapped": "{<l} = list(map({f}, {l}[:2]))",
    "sorted": "{<l} = sorted({l}[:], key={f})",
    "deleted item": "del {l}[:1]",
    "deleted": "del {-i}",
    "noted": "note({i})",
    "noted so far": "print(noted)",
    "parameter": "{<i} = p + {#}",
    "rebound parameter": "p = p + {#}",
    "match": "match {l}:\n    case [{<?i}, *_]:\n        pass\n    case _:\n        print('empty')",
    "with": "with open(os.devnull) as handle:\n    {<i} = len(handle.read())",
}
#: What the first step begins with, so that the steps have something to work on.
MAKERS = (
    "constant",
    "list",
    "dict",
    "nested",
    "object",
    "holder",
    "array",
    "generator",
    "seed",
    "iterator",
    "alias",
    "function",
    "remembering",
    "mutator",
    "counter",
)
HEAD = """# %% imports
import os
import random
import numpy as np
# %% functions
class Box:
    def __init__(self, v):
        self.v = v
    def touch(self):
        if isinstance(self.v, list):
            self.v.append(0)
        else:
            self.v += 1
noted = []
def note(x):
    noted.append(x)
# %% pipeline-parameters
p = 3"""
NAMES = {kind: tuple(f"{kind}{n}" for n in range(3)) for kind in "ildmoagtfucs"}


@dataclass
class Env:
    """The names that stand above a place, by kind."""

    names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, name: str) -> None:
        if name not in self.names.setdefault(kind, []):
            self.names[kind].append(name)

    def having(self, other: Env) -> None:
        for kind, names in other.names.items():
            for name in names:
                self.add(kind, name)


@st.composite
def programs(draw: Draw, steps: int = 4, statements: int = 4) -> str:
    """The text of a notebook, as `support` reads it."""
    count = draw(st.integers(2, steps))
    mode = draw(st.sampled_from(["none", "chain", "chain", "graph", "graph"]))
    ends: list[Env] = []
    lines = [HEAD]
    for number in range(count):
        previous = _previous(draw, mode, number)
        env = Env()
        for other in range(number) if mode == "none" else previous:
            env.having(ends[other])
        tags = f" prev:{':'.join(f's{n}' for n in previous)}" if previous and mode != "none" else ""
        lines.append(f"# %% step:s{number}{tags}")
        if number == 0:
            lines += ["i0 = 1", "l0 = [1, 2]"]
            env.add("i", "i0")
            env.add("l", "l0")
            lines += [_statement(draw, env, MAKERS) for _ in range(draw(st.integers(2, 6)))]
        lines += [_statement(draw, env, tuple(STATEMENTS)) for _ in range(draw(st.integers(1, statements)))]
        lines += [f"print({name})" for name in sorted(n for k in "ildma" for n in env.names.get(k, ()))[:6]]
        ends.append(env)
    return "\n".join(lines) + "\n"


def _previous(draw: Draw, mode: str, number: int) -> list[int]:
    if mode == "none" or number == 0:
        return []
    if mode == "chain":
        return [number - 1]
    return sorted(draw(st.sets(st.integers(0, number - 1), min_size=1, max_size=2)))


def _statement(draw: Draw, env: Env, among: Sequence[str]) -> str:
    """One statement that can be made of what stands above."""
    possible = [STATEMENTS[n] for n in among if all(env.names.get(kind) for kind in _needs(STATEMENTS[n]))]
    template = draw(st.sampled_from(possible))
    text, bound = "", []
    rest = template
    last: dict[str, str] = {}
    while "{" in rest:
        before, _, rest = rest.partition("{")
        text += before
        if rest[:1] in '"*':  # a dict display
            text += "{"
            continue
        token, _, rest = rest.partition("}")
        text += _filled(draw, token, env, bound, last)
    for kind, name in bound:
        env.add(kind, name)
    return text + rest


def _filled(draw: Draw, token: str, env: Env, bound: list[tuple[str, str]], last: dict[str, str]) -> str:
    """What stands for a token of a template; `last` keeps one choice a statement for equal tokens."""
    if token == "#":
        return str(draw(st.integers(0, 4)))
    if token in last:
        return last[token]
    kind = token.lstrip("<?=-").rstrip("01")
    if token.startswith("<="):
        name = last[f"<{kind}"]
    elif token.startswith("<"):
        name = draw(st.sampled_from(NAMES[kind]))
        if "?" not in token:  # bound perhaps: it does not stand above what follows, unless it did before
            bound.append((kind, name))
    else:
        name = draw(st.sampled_from(env.names[kind]))
    if token.startswith("-"):
        env.names[kind].remove(name)
    last[token] = name
    return name


def _needs(text: str) -> set[str]:
    """The kinds of names that a template is made of."""
    tokens = [part.partition("}")[0] for part in text.split("{")[1:]]
    return {t.lstrip("-").rstrip("01") for t in tokens if t and t[0] not in '<#"*'}
