"""The text of a component's program: the runtime's parts, which `packed` holds, and the code that starts them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kalecompiler.runtime.packed import PARTS

COMMENT = "# speaks the executor contract of kfp.dsl.executor_main"
EXTRAS = {
    "outputs": "blame",
    "parameters": "parameters",
    "metrics": "metrics",
    "guards": "guards",
    "packages": "install",
    "files": "install",
}
# Nothing gets a name here: those of `__main__` belong to the notebook. `pack` tells how the parts are made.
PROGRAM = """{}
(lambda p:exec(__import__("zlib").decompress(p[0],-15).split(b"\\0")[0],\
{{"__name__":"kalec_runtime.boot","PARTS":p}}))(\
[__import__("base64").b85decode(t.translate({{44:36,46:123,47:125,58:60,91:62,93:38}}))for t in(
{})])
"""


def extras(step: Mapping[str, Any]) -> tuple[str, ...]:
    """The parts of the core that a step, given as its JSON values, needs beyond what every step needs; sorted."""
    return tuple(sorted({part for key, part in EXTRAS.items() if step.get(key)}))


def program(parts: Sequence[str] = (), extras: Sequence[str] | None = None) -> str:
    """The program of a step that needs `parts` ("shell") beyond the core; KeyError for an unknown one.

    `extras` are the parts of the core that it needs, all of them by default. Python runs the program with two
    arguments, the step's JSON and the executor input.
    """
    inner = sorted(set(EXTRAS.values())) if extras is None else extras
    carried = "".join(f'"{PARTS[part]}",\n' for part in ("core", *inner, *parts))
    return PROGRAM.format(COMMENT, carried)
