"""`python -m kalecompiler.runtime.pack`: makes packed.py, the compressed text of the runtime, from its modules.

The text is made the same by every Python; its compression differs with the zlib that is installed, which is why the
result is kept, and a test compares what it unpacks to. Base 85 is a sixteenth shorter than base 64; three of its
characters are exchanged, because KFP and Kubernetes replace `{{` and `$(` in arguments.
"""

from __future__ import annotations

import base64
import zlib
from pathlib import Path

from kalecompiler.runtime.squeeze import squeeze

HERE = Path(__file__).parent
PARTS: dict[str, tuple[str, ...]] = {
    "core": ("step", "cells", "contract", "failure", "report", "values", "bundle"),
    "blame": ("blame", "byvalue"),
    "parameters": ("parameters",),
    "metrics": ("metrics",),
    "guards": ("guards",),
    "install": ("install",),
    "display": ("display", "rich", "tee"),
    "shell": ("shell",),
}
HEADER = '"""Made by `python -m kalecompiler.runtime.pack`; not to be edited."""\n\n# fmt: off\n'
SAFE = str.maketrans("${}<>&", ",./:[]")
UNSAFE = str.maketrans(",./:[]", "${}<>&")


def main() -> None:
    """Write packed.py."""
    core = part_text("core")
    parts = {name: pack(part_text(name), b"" if name == "core" else core.encode()) for name in PARTS}
    rows = [f'    "{name}": {_literal(text, "    ")},\n' for name, text in parts.items()]
    boot = f"BOOT = {_literal(pack(module_text('boot')), '')}\n"
    (HERE / "packed.py").write_text("".join([HEADER, boot, "PARTS = {\n", *rows, "}\n"]), encoding="utf-8")


def module_text(name: str) -> str:
    """The squeezed source of a module of this package."""
    return squeeze((HERE / f"{name}.py").read_text(encoding="ascii"))


def part_text(name: str) -> str:
    """The modules of a part, each after a NUL, its name and a line end."""
    return "".join(f"\0{module}\n{module_text(module)}" for module in PARTS[name])


def pack(text: str, known: bytes = b"") -> str:
    """The text compressed, where the reader knows the bytes `known` already, in letters safe in an argument."""
    packer = zlib.compressobj(9, zdict=known) if known else zlib.compressobj(9)
    return base64.b85encode(packer.compress(text.encode("ascii")) + packer.flush()).decode().translate(SAFE)


def unpack(constant: str, known: bytes = b"") -> str:
    """The text of a constant."""
    unpacker = zlib.decompressobj(zdict=known) if known else zlib.decompressobj()
    return unpacker.decompress(base64.b85decode(constant.translate(UNSAFE))).decode()


def _literal(text: str, indent: str) -> str:
    """A string constant over lines of 100 characters."""
    rows = [f"{indent}    {text[start : start + 100]!r}\n" for start in range(0, len(text), 100)]
    return "(\n" + "".join(rows) + indent + ")"


if __name__ == "__main__":
    main()
