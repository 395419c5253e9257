"""The runtime that components carry is the one of the sources, small, and the same by every Python."""

from __future__ import annotations

import ast
import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from runtime_steps import command, executor_input, output, step

from kalecompiler.runtime import carried, extras, pack, packed, program
from kalecompiler.runtime.squeeze import squeeze

MODULES = sorted({module for names in pack.PARTS.values() for module in names} | {"boot"})


def test_the_constants_are_current() -> None:
    core = pack.part_text("core")
    cure = "run `python -m kalecompiler.runtime.pack`"
    assert pack.unpack(packed.BOOT) == pack.module_text("boot"), cure
    assert set(packed.PARTS) == set(pack.PARTS), cure
    for name, constant in packed.PARTS.items():
        assert pack.unpack(constant, b"" if name == "core" else core.encode()) == pack.part_text(name), cure


def test_every_module_of_the_runtime_is_carried() -> None:
    tools = {"__init__", "carried", "pack", "packed", "squeeze"}
    assert {path.stem for path in pack.HERE.glob("*.py")} - tools == set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_runs_on_python_3_9(module: str) -> None:
    source = (pack.HERE / f"{module}.py").read_text(encoding="ascii")
    ast.parse(source, feature_version=(3, 9))
    ast.parse(squeeze(source), feature_version=(3, 9))


@pytest.mark.parametrize("module", MODULES)
def test_a_squeezed_module_is_the_same_program(module: str) -> None:
    """Parsed again, it lacks only what does nothing."""
    source = squeeze((pack.HERE / f"{module}.py").read_text(encoding="ascii"))
    assert squeeze(source) == source
    assert "TYPE_CHECKING" not in source and "__future__" not in source and " ->" not in source


SAMPLE = '''"""Doc."""
from __future__ import annotations
import os  # why
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
x: int = 5


class A(Exception):
    """Only words."""


def f(a: int, *b: str, c: dict[str, int] = {}, **d: Any) -> tuple[int, str]:
    """Words."""
    if not  a:
        return  -1, f"{a!r:>{b[0]}} # {'in'  'side'}", not a
    y = """keep
      # this"""
    return [
        1 if a else 2,  # two
        lambda: None,
    ]
'''

SQUEEZED = '''import os
x=5
class A(Exception):
 pass
def f(a,*b,c={},**d):
 if not a:
  return-1,f"{a!r:>{b[0]}} # {'in'  'side'}",not a
 y="""keep
      # this"""
 return[1 if a else 2,lambda:None,]
'''


def test_what_squeezing_does() -> None:
    assert squeeze(SAMPLE) == SQUEEZED


@pytest.mark.parametrize(
    ("content", "needed"),
    [
        pytest.param({"code": [1]}, (), id="cells alone"),
        pytest.param({"parameters": {"a": {}}, "guards": ["x"]}, ("guards", "parameters"), id="some"),
        pytest.param({"packages": [1], "files": {"a.py": []}}, ("install",), id="two that need one"),
        pytest.param({"packages": [], "metrics": {}}, (), id="empty ones"),
    ],
)
def test_a_step_carries_what_it_needs(content: dict[str, object], needed: tuple[str, ...]) -> None:
    assert extras(content) == needed


def test_all_parts_of_the_core_are_the_default() -> None:
    assert program(("display",)) == program(("display",), sorted(set(carried.EXTRAS.values())))
    with pytest.raises(KeyError):
        program(("no such part",))


def test_the_runtime_is_small() -> None:
    """With all that cells display: a step that hands nothing on, and one that does."""
    assert len(program(("display",), ())) < 12_000
    assert len(program(("display",), ("blame",))) < 13_300


def test_packing_writes_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in pack.HERE.glob("*.py"):
        (tmp_path / path.name).write_text(path.read_text())
    monkeypatch.setattr(pack, "HERE", tmp_path)
    with contextlib.redirect_stdout(io.StringIO()):
        pack.main()
    names: dict[str, object] = {}
    exec((tmp_path / "packed.py").read_text(), names)
    assert set(names["PARTS"]) == set(packed.PARTS)  # type: ignore[call-overload]


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
    content = step("x = 1", parts=["display"], **fields)
    arguments = command(content, executor_input(content, tmp_path))[-3:]
    bare = min(_seconds("pass") for _ in range(10))
    assert min(_seconds(*arguments) for _ in range(15)) - bare < limit
    assert (tmp_path / "executor_output.json").exists()
