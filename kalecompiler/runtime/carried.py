"""The text of a component's program: the runtime's parts, which `packed` holds, and the code that starts them."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kalecompiler.runtime.packed import PARTS

COMMENT = "# speaks the contract of kfp.dsl.executor_main"
TRACKERS = {"jsonl", "mlflow", "tensorboard", "wandb"}
COMMON = {"inputs", "outputs"}  # these are packed together with the core
# What a step needs because of a key of its JSON.
BY_KEY = {
    "inputs": ("inputs",),
    "outputs": ("outputs",),
    "parameters": ("parameters",),
    "metrics": ("metrics",),
    "report": ("htmlreport",),
    "guards": ("guards", "outputs", "bonds", "arrays"),
    "packages": ("install",),
    "files": ("install",),
    "handlers": ("handlers", "inputs", "outputs"),
    "preview": ("preview",),
    "max-artifact-size": ("limits",),
    "snapshot": ("snapshot",),
    "tracking": ("telling",),
}
# What its code shows that it may need. Too much of it does no harm.
AWAITS = re.compile(r"\b(async|await|asyncio)\b")
SHOWS = re.compile(r"display|MPL|matplotlib|pyplot|\bplt\b|plot|show|seaborn|figure|\.hist\(|\.draw")
IMPORTS = re.compile(r"IPython|pyplot|pylab|\bplt\b")
BY_VALUE = re.compile(r"\blambda\b|^[ \t]+(async +)?def |^[ \t]+class |cloudpickle|argparse", re.MULTILINE)
ODD = re.compile(r"logg|Logger|argparse|\bexcept\b|Exception|Error")
# Nothing gets a name here: those of `__main__` belong to the notebook. `pack` tells how the parts are made.
PROGRAM = """{}
(lambda p:exec(__import__("zlib").decompress(p[0],-15).split(b"\\0")[0],\
{{"__name__":"kalec_runtime.boot","PARTS":p}}))(\
[__import__("base64").b85decode(t.translate({{44:36,46:123,47:125,58:60,91:62,93:38}}))for t in(
{})])
"""


def extras(step: Mapping[str, Any], others: str = "") -> tuple[str, ...]:
    """The parts beyond the core that a step, given as its JSON values, needs; sorted.

    `others` is the code of the other steps: what they make may pass through this one.
    """
    needed = {part for key, parts in BY_KEY.items() if step.get(key) for part in parts}
    needed.update(_drawers(step.get("metrics") or {}))
    text = "\n".join(_sources(step))
    if AWAITS.search(text):
        needed.add("loop")
    if SHOWS.search(text) or any(map(_echoes, step.get("code", ()))):
        needed.add("rich")
    if IMPORTS.search(text):
        needed.update(("rich", "watched"))
    if "to" in (step.get("snapshot") or ()):
        needed.add("mirror")
    for tracker in (step.get("tracking") or {}).get("trackers", ()):
        needed.update({tracker["name"]} & TRACKERS)
    if any("secrets" in (step.get(key) or ()) for key in ("snapshot", "tracking")):
        needed.add("withheld")
    if _keeps(step):
        needed.add("outputs")
    if "outputs" in needed or step.get("outputs"):
        needed.update(_savers(step, text, others))
    return tuple(sorted(needed))


def program(parts: Sequence[str] = (), extras: Sequence[str] | None = None) -> str:
    """The program of a step that needs `parts` ("shell") beyond the core; KeyError for an unknown one.

    `extras` are more of them, all but those by default. Python runs the program with two arguments, the step's JSON
    and the executor input.
    """
    names = {name for key in PARTS for name in key.split("+")} - {"core"}
    wanted = {*(names - {"shell"} if extras is None else extras), *parts}
    first = "+".join(["core", *sorted(wanted & COMMON)])
    carried = "".join(f'"{PARTS[key]}",\n' for key in (first, *sorted(wanted - COMMON)))
    return PROGRAM.format(COMMENT, carried)


def _sources(step: Mapping[str, Any]) -> Iterator[str]:
    """All code that comes with a step."""
    for piece in step.get("code", ()):
        yield "\n".join([*piece["source"], *(text for _, text in piece.get("kept", ()))])
    for lines in step.get("files", {}).values():
        yield "\n".join(lines)


def _drawers(metrics: Mapping[str, Any]) -> set[str]:
    """The parts that show more than scalars."""
    kinds = {chart["kind"] for chart in metrics.get("charts", ())}
    return {*(["charts"] if kinds else []), *(["rich", "htmlreport"] if "html" in kinds else [])}


def _keeps(step: Mapping[str, Any]) -> bool:
    """Whether the snapshot of a step has values of its own."""
    snapshot = step.get("snapshot") or {}
    return bool(snapshot) and (snapshot["level"] == "all" or not step.get("outputs"))


@functools.lru_cache(8)
def _passing(code: str) -> frozenset[str]:
    """The parts that values may need which this code makes."""
    rules = {"byvalue": BY_VALUE, "oddities": ODD}
    return frozenset(part for part, rule in rules.items() if rule.search(code))


def _savers(step: Mapping[str, Any], text: str, others: str) -> Iterator[str]:
    """The parts that save what the core of saving cannot, or not as well."""
    modules = {str(package.get("module") or package["requirement"]) for package in step.get("packages", ())}
    takers = [name for output in step.get("outputs", ()) for name in output["for"]]
    if modules or "import" in text:
        yield "arrays"
    if modules or len(takers) > len(set(takers)):
        yield "bonds"
    if "torch" in modules or "torch" in text:
        yield "tensors"
    if "cloudpickle" in modules:
        yield "byvalue"
    yield from _passing(text) | _passing(others)


def _echoes(piece: Mapping[str, Any]) -> bool:
    """Whether a piece ends with an expression that a notebook would show."""
    if piece["kind"] not in ("cell", "metrics"):
        return False
    try:
        body = ast.parse("\n".join(piece["source"])).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # whatever Python says of odd text
        return True
    last = body[-1] if body else None
    if not isinstance(last, ast.Expr):
        return False
    return not (isinstance(last.value, ast.Call) and ast.unparse(last.value.func) == "print")
