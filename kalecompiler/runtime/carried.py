"""The text of a component's program: the runtime's parts, which `packed` holds, and the code that starts them."""

from __future__ import annotations

from collections.abc import Sequence

from kalecompiler.runtime.packed import BOOT, PARTS

COMMENT = "# kalecompiler's runtime, standard library only: it speaks the executor contract of kfp.dsl.executor_main"


def program(parts: Sequence[str] = ()) -> str:
    """The program of a step that needs `parts` ("display", "shell") beyond the core; KeyError for an unknown one.

    Python runs it with two arguments, the step's JSON and the executor input.
    """
    carried = "".join(f'\n "{PARTS[part]}",' for part in ("core", *parts))
    unpack = '__import__("zlib").decompress(__import__("binascii").a2b_base64("' + BOOT + '"))'
    return f'{COMMENT}\nexec({unpack}, {{"__name__": "kalec_runtime.boot", "PARTS": ({carried}\n)}})\n'
