"""`python -m kalecompiler.runtime.pack`: makes packed.py, the compressed text of the runtime, from its modules.

Every step of a pipeline carries it, so each byte counts. The sources are squeezed; words that are frequent in them
become one byte each (from 128 on: the sources are ASCII), which deflate then packs 7 % better. The core, alone and with
the parts that most steps carry, is deflated by zopfli (`pip install zopfli`), another 2 %; the other parts as if they
followed the core. Base 85 is a sixteenth shorter than base 64; six of its characters are exchanged, because KFP and
Kubernetes replace `{{` and `$(` in arguments, and Go's JSON spells `<`, `>` and `&` in six characters.

    first = core | 2 | part | 2 | part
    core = boot's source | NUL | words, with 1s between them | NUL | part
    part = modules, with NULs between them;  module = name | LF | source

The sources are made the same by every Python; their compression differs with the zlib that is installed, which is why
the result is kept, and a test compares what it unpacks to.
"""

from __future__ import annotations

import ast
import base64
import functools
import importlib
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from kalecompiler.runtime.shorten import shorten
from kalecompiler.runtime.squeeze import squeeze

HERE = Path(__file__).parent
HERE_OF_ALL = HERE.parent.parent
PARTS: dict[str, tuple[str, ...]] = {
    "core": ("cells", "contract", "failure", "report", "step", "display", "bundle", "tee", "parts"),
    "inputs": ("inputs", "loading", "reading"),
    "outputs": ("outputs", "saving", "writing", "about", "blame"),
    "bonds": ("bonds",),
    "rich": ("rich",),
    "watched": ("watched",),
    "loop": ("loop",),
    "byvalue": ("byvalue",),
    "arrays": ("arrays",),
    "oddities": ("oddities",),
    "tensors": ("tensors",),
    "editions": ("editions",),
    "handlers": ("handlers",),
    "preview": ("preview",),
    "limits": ("limits",),
    "parameters": ("parameters",),
    "metrics": ("metrics",),
    "charts": ("charts",),
    "htmlreport": ("htmlreport",),
    "guards": ("guards",),
    "install": ("install",),
    "shell": ("shell",),
    "snapshot": ("snapshot",),
    "mirror": ("mirror",),
    "withheld": ("withheld",),
    "telling": ("telling", "delivery", "kalecompiler.tracking.tracker", "kalecompiler.tracking.calls"),
    "jsonl": ("kalecompiler.tracking.jsonlines",),
    "mlflow": ("kalecompiler.tracking.mlflowruns",),
    "tensorboard": ("kalecompiler.tracking.eventfiles", "kalecompiler.files"),
    "wandb": ("kalecompiler.tracking.wandbruns",),
}
COMMON = ("core", "inputs", "outputs")  # what most steps carry: the words are chosen for these
FIRST = (("core",), ("core", "inputs"), ("core", "outputs"), COMMON)
HEADER = '"""Made by `python -m kalecompiler.runtime.pack`; not to be edited."""\n\n# fmt: off\n'
SAFE = str.maketrans("${}<>&", ",./:[]")


def main() -> None:
    """Write packed.py."""
    words = choose_words(b"".join(part_text(name) for name in COMMON))
    texts = {name: spell(part_text(name), words)[1:] for name in PARTS}
    texts["core"] = b"\0".join([module_text("boot").encode(), b"\1".join(words), texts["core"]])
    packed = {"+".join(names): deflate_well(b"\2".join(texts[name] for name in names)) for names in FIRST}
    packed |= {name: deflate(texts[name], texts["core"]) for name in PARTS if name not in COMMON}
    printed = {name: base64.b85encode(data).decode().translate(SAFE) for name, data in packed.items()}
    rows = [f'    "{name}": {_literal(text)},\n' for name, text in printed.items()]
    (HERE / "packed.py").write_text("".join([HEADER, "PARTS = {\n", *rows, "}\n"]), encoding="utf-8")


def module_text(name: str) -> str:
    """The squeezed source of a module of this package; one with dots in its name comes from elsewhere in this house."""
    squeezed = squeeze(source(name))
    return squeezed if "." in name else shorten(squeezed, keywords(HERE))


def source(name: str) -> str:
    """The source of a module that steps carry."""
    path = HERE_OF_ALL / (name.replace(".", "/") + ".py") if "." in name else HERE / f"{name}.py"
    return path.read_text(encoding="ascii")


@functools.cache
def keywords(folder: Path) -> frozenset[str]:
    """What the carried modules use as keywords in calls."""
    names = ("boot", *(module for modules in PARTS.values() for module in modules if "." not in module))
    trees = [ast.parse((folder / f"{name}.py").read_text(encoding="ascii")) for name in names]
    return frozenset(
        node.arg for tree in trees for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg
    )


def part_text(name: str) -> bytes:
    """The modules of a part, each after a NUL, its name and a line end."""
    return "".join(f"\0{module}\n{module_text(module)}" for module in PARTS[name]).encode("ascii")


def choose_words(text: bytes) -> list[bytes]:
    """Words, at most 128, that make the text smaller: each that is frequent is tried, twice over."""
    words: list[bytes] = []
    size = len(deflate(text))
    for word in (word for _ in range(2) for word in _candidates(spell(text, words))):
        if len(words) == 128:
            break
        longer = [*words, word]
        tried = len(deflate(b"\1".join(longer) + spell(text, longer)))
        if tried < size:
            words, size = longer, tried
    return words


def spell(text: bytes, words: Sequence[bytes]) -> bytes:
    """The text with each word as one byte."""
    for number, word in enumerate(words):
        text = text.replace(word, bytes([128 + number]))
    return text


def deflate(data: bytes, known: bytes = b"") -> bytes:
    """Raw deflate, where the reader has the bytes `known` already."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, known)
    return packer.compress(data) + packer.flush()


def deflate_well(data: bytes) -> bytes:
    """Raw deflate as small as it gets; needs the package zopfli."""
    zopfli = importlib.import_module("zopfli.zlib")
    return bytes(zopfli.compress(data, numiterations=200)[2:-4])  # without zlib's header and check sum


def _candidates(text: bytes) -> list[bytes]:
    """Runs of up to four tokens that are frequent and long; those that save most come first."""
    tokens = re.findall(rb"\n *|\w+|[^\w\0]", text)
    runs = (b"".join(tokens[at : at + length]) for length in range(1, 5) for at in range(len(tokens) - length))
    count = Counter(run for run in runs if len(run) > 2 and run.isascii())
    return sorted((run for run in count if count[run] > 2), key=lambda run: (-(len(run) - 1) * count[run], run))[:1000]


def _literal(text: str) -> str:
    """A string constant over lines of 100 characters, within a dictionary."""
    rows = [f"        {text[start : start + 100]!r}\n" for start in range(0, len(text), 100)]
    return "(\n" + "".join(rows) + "    )"


if __name__ == "__main__":
    main()
