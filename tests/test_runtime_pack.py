"""The runtime that components carry is the one of the sources, small, and the same by every Python."""

from __future__ import annotations

import ast
import base64
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from runtime_steps import command, executor_input, output, step

from kalecompiler.runtime import boot, extras, pack, packed, program
from kalecompiler.runtime.shorten import shorten
from kalecompiler.runtime.squeeze import squeeze

MODULES = sorted({module for names in pack.PARTS.values() for module in names} | {"boot"})


def test_the_constants_are_current() -> None:
    expected = {name: pack.module_text(name) for names in pack.PARTS.values() for name in names}
    assert _carried(packed.PARTS) == expected, "run `python -m kalecompiler.runtime.pack`"


def _carried(parts: Mapping[str, str]) -> dict[str, str]:
    """The modules in the constants, as a step's first code reads them."""
    unsafe = str.maketrans(",./:[]", "${}<>&")
    first = max((name for name in parts if name.startswith("core")), key=len)
    names = [first, *sorted(name for name in parts if not name.startswith("core"))]
    sources = boot.Carried([base64.b85decode(parts[name].translate(unsafe)) for name in names]).sources
    return {name.partition(".")[2]: source for name, source in sources.items() if name != boot.PACKAGE}


def test_every_module_of_the_runtime_is_carried() -> None:
    tools = {"__init__", "carried", "pack", "packed", "shorten", "squeeze", "values"}
    assert {path.stem for path in pack.HERE.glob("*.py")} - tools == {name for name in MODULES if "." not in name}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_runs_on_python_3_9(module: str) -> None:
    source = pack.source(module)
    ast.parse(source, feature_version=(3, 9))
    ast.parse(squeeze(source), feature_version=(3, 9))


@pytest.mark.parametrize("module", MODULES)
def test_a_squeezed_module_is_the_same_program(module: str) -> None:
    """Parsed again, it lacks only what does nothing."""
    source = squeeze(pack.source(module))
    assert squeeze(source) == source
    assert "TYPE_CHECKING" not in source and "__future__" not in source and " ->" not in source


SAMPLE = '''"""Doc."""
from __future__ import annotations
import os  # why
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
x: int = 5


@dataclass
class R:
    a: int  # why
    b: str = ""


class A(Exception):
    """Only words."""


def f(a: int, *b: str, c: dict[str, int] = {}, **d: Any) -> tuple[int, str]:
    """Words."""
    if not  a:
        return  -1, f"{a!r:>{b[0]}} # {'in'  'side'}", not a
    y = """keep
      # this"""
    for z in y:
        a = z
        b = a
        if a:
            continue
    else:
        return [
            1 if a else 2,  # two
            lambda: None,
        ]
'''

SQUEEZED = '''import os;x=5
@dataclass
class R:a:0;b:0=""
class A(Exception):pass
def f(a,*b,c={},**d):
 if not a:return-1,f"{a!r:>{b[0]}} # {'in'  'side'}",not a
 y="""keep
      # this"""
 for z in y:
  a=z;b=a
  if a:continue
 else:return[1 if a else 2,lambda:None,]
'''


def test_what_squeezing_does() -> None:
    assert squeeze(SAMPLE) == SQUEEZED


SHORTENED = {
    "def f(first, second=0): return first + second": "def f(f, s=0): return f + s",
    "def g(text, *, key): return lambda item: f'{item!r}{text}{key}'": (
        "def g(t, *, key): return lambda i: f'{i!r}{t}{key}'"
    ),
    "def f(name): return f'{name.upper()} {{name}}'": None,
    "def f(width): return g(width=width)": None,
    "def f(known): return known": None,
    "def f(list, size): return size": "def f(list, s): return s",
    "size = 1\ndef f(): return [size for size in ()]": None,
    "def f():\n from os import path\n for name in path: name.name = name": (
        "def f():\n from os import path\n for n in path: n.name = n"
    ),
    "def f():\n global total\n total = 1": None,
    "class A:\n size = 1\n def f(self, error):\n  try: pass\n  except E as other: return other, error, self.error": (
        "class A:\n size = 1\n def f(self, e):\n  try: pass\n  except E as o: return o, e, self.error"
    ),
    "def f(types, first):\n from types import first as other\n return types": None,
    "def f(ab, ba, a): return ab - ba - a": "def f(b, c, a): return b - c - a",
}


@pytest.mark.parametrize("source", SHORTENED)
def test_what_shortening_does(source: str) -> None:
    assert shorten(source + "\n", {"known"}) == (SHORTENED[source] or source) + "\n"


@pytest.mark.parametrize("module", MODULES)
def test_a_shortened_module_is_the_same_program(module: str) -> None:
    """Nodes differ only in names of variables, and in each function one name stands for one other."""
    long = ast.parse(squeeze(pack.source(module)))
    short = ast.parse(pack.module_text(module))
    outer = {id(node): number for number, function in enumerate(_functions(long)) for node in ast.walk(function)}
    renamed: dict[tuple[int, str], str] = {}
    for one, other in zip(ast.walk(long), ast.walk(short), strict=True):
        assert type(one) is type(other)
        for field in one._fields:
            was, now = getattr(one, field), getattr(other, field)
            if isinstance(was, (str, int, float, bytes, bool)) or was is None:
                is_variable = (type(one), field) in VARIABLES and id(one) in outer
                key = (outer[id(one)], was) if is_variable else (-1, was)
                assert renamed.setdefault(key, now if is_variable else was) == now, (was, now)
    for number in set(outer.values()):
        shorts = [name for (function, _), name in renamed.items() if function == number]
        assert len(shorts) == len(set(shorts))


VARIABLES = {(ast.Name, "id"), (ast.arg, "arg"), (ast.ExceptHandler, "name")}


def _functions(node: ast.AST) -> list[ast.AST]:
    """The functions that are in no other one."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return [node]
    return [function for child in ast.iter_child_nodes(node) for function in _functions(child)]


def code(source: str, kind: str = "cell") -> dict[str, object]:
    return {"code": [{"kind": kind, "source": source.split("\n")}]}


OUTPUTS = [{"variable": "a", "for": ["b"]}]


@pytest.mark.parametrize(
    ("content", "needed"),
    [
        pytest.param(code("x = 1"), (), id="cells alone"),
        pytest.param({"parameters": {"a": {}}, "inputs": ["x"]}, ("inputs", "parameters"), id="some"),
        pytest.param({"packages": [1], "files": {"a.py": []}}, ("install",), id="two that need one"),
        pytest.param({"packages": [], "metrics": {}}, (), id="empty ones"),
        pytest.param(code("x = 1\nx"), ("rich",), id="a cell that shows its last expression"),
        pytest.param(code("x = 1\nx", "definition"), (), id="a definition shows nothing"),
        pytest.param(code("x = 1\nprint(x)"), (), id="print returns nothing"),
        pytest.param(code("import matplotlib.pyplot as p\nx = p.figure()"), ("rich", "watched"), id="figures"),
        pytest.param(code("import seaborn\nshow(x)"), ("rich",), id="another library's figures"),
        pytest.param(code("for c in df:\n    df[c].hist()"), ("rich",), id="figures that pandas draws"),
        pytest.param(code("from IPython.display import HTML"), ("rich", "watched"), id="objects of IPython"),
        pytest.param(code("x = await f()"), ("loop",), id="a coroutine"),
        pytest.param(
            {"tracking": {"trackers": [{"name": "mlflow"}, {"name": "a plug-in"}]}},
            ("mlflow", "telling"),
            id="trackers",
        ),
        pytest.param(
            {"tracking": {"trackers": [], "secrets": ["KEY"]}}, ("telling", "withheld"), id="a secret not to be told"
        ),
        pytest.param({"outputs": OUTPUTS}, ("outputs",), id="a value handed on"),
        pytest.param({"outputs": OUTPUTS, **code("a = lambda: 1")}, ("byvalue", "outputs"), id="a lambda"),
        pytest.param({"outputs": OUTPUTS * 2}, ("bonds", "outputs"), id="two values for one step"),
        pytest.param(
            {"outputs": OUTPUTS, "packages": [{"requirement": "torch", "module": "torch"}]},
            ("arrays", "bonds", "install", "outputs", "tensors"),
            id="tensors",
        ),
        pytest.param(
            {"outputs": OUTPUTS, **code("import logging\na = logging.getLogger()")},
            ("arrays", "oddities", "outputs"),
            id="a logger",
        ),
    ],
)
def test_a_step_carries_what_it_needs(content: dict[str, object], needed: tuple[str, ...]) -> None:
    assert extras(content) == needed


def test_what_other_steps_make_may_pass_through() -> None:
    assert extras({"outputs": OUTPUTS}, "f = lambda: 1") == ("byvalue", "outputs")


def test_all_parts_of_the_core_are_the_default() -> None:
    assert program(("shell",)) == program(("shell",), sorted(set(pack.PARTS) - {"core", "shell"}))
    with pytest.raises(KeyError):
        program(("no such part",))


def test_the_runtime_is_small() -> None:
    """That of a step at the start, at the end, and in the middle of a pipeline."""
    assert len(program((), ())) < 6_000
    assert len(program((), ("inputs",))) < 8_500
    assert len(program((), ("outputs",))) < 10_000
    assert len(program((), ("inputs", "outputs"))) < 12_000


def test_packing_writes_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("zopfli")
    for path in pack.HERE.glob("*.py"):
        (tmp_path / path.name).write_text(path.read_text())
    monkeypatch.setattr(pack, "HERE", tmp_path)
    pack.main()
    names: dict[str, Any] = {}
    exec((tmp_path / "packed.py").read_text(), names)
    assert names["PARTS"].keys() == packed.PARTS.keys()
    assert _carried(names["PARTS"]) == _carried(packed.PARTS)


def _seconds(*arguments: str) -> float:
    """The processor time of a Python process."""
    process = subprocess.Popen([sys.executable, "-u", "-c", *arguments])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        pytest.param({}, 0.045, id="nothing handed on"),
        pytest.param({"outputs": [output("x")]}, 0.060, id="a value handed on"),
    ],
)
def test_a_step_starts_quickly(tmp_path: Path, fields: dict[str, object], limit: float) -> None:
    """Interpreter and runtime, over `python -c pass`: the least of several, as other work on the machine only adds."""
    content = step("x = 1", **fields)
    arguments = command(content, executor_input(content, tmp_path))[-3:]
    bare = min(_seconds("pass") for _ in range(10))
    assert min(_seconds(*arguments) for _ in range(15)) - bare < limit
    assert (tmp_path / "executor_output.json").exists()
