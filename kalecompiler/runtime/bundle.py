"""The file that holds one value: `magic | pickle stream | large buffers | JSON header | header length | magic`.

The stream starts at byte 64, it and each buffer are padded with zeros to a multiple of 64, and the length is 8 bytes,
little-endian. The header stands at the end because the file is written in one go, while the value is being pickled:
    {"format": 1, "hash": "sha256", "type": ..., "packages": {"Python": "3.11", name: version, ...},
     "sections": [[offset, readonly, lengths, digests], ...]}
The first section is the pickle stream, the others are its out-of-band buffers in their order: one of a large buffer, or
of several small ones, each with its padding. `digests` are those of each 1 MiB of the section, in hexadecimal, one
after the other. The digest of the file is that of its header and all that follows; it travels beside the file. So each
byte is covered, and many threads can verify one file.
An absent value has no sections and "absent": true. `members` names the variables of the stream's pickles.
"""

from __future__ import annotations

import hashlib
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

MAGIC = b"KALEC\x00\x01\n"
FORMAT = 1
ALIGN = 64
CHUNK = 1 << 20


class Absent:
    """What `load` gives for a variable that its step left unbound."""

    def __repr__(self) -> str:
        return "<absent>"


ABSENT = Absent()


def version(package: str) -> Any:
    """The version of an imported package, if it says one; that of Python without its last part."""
    if package == "Python":
        return "%d.%d" % sys.version_info[:2]
    return getattr(sys.modules.get(package), "__version__", None)


def update(value: Any, state: dict[str, Any]) -> None:
    """Give an object its attributes; a pickle calls this where the class would do something else with its state."""
    for name, item in state.items():
        object.__setattr__(value, name, item)


def hasher(name: str) -> Any:
    """The constructor of a hash: sha256, or blake3 where it is installed (ImportError); ValueError for any other."""
    if name == "blake3":
        import blake3

        return blake3.blake3
    if name != "sha256":
        raise ValueError(name)
    return hashlib.sha256


def chunks(view: memoryview) -> list[memoryview]:
    """The pieces of a section that have a digest each."""
    return [view[at : at + CHUNK] for at in range(0, len(view), CHUNK)]


def digests(hasher: Any, pieces: Sequence[Sequence[Any]], first: Callable[[], object] = bool) -> str:
    """The digests of the pieces, each given in its parts, joined.

    Two threads make them (more would take processors from the neighbours), one of which calls `first` before; what that
    raises comes out.
    """
    found = [""] * len(pieces)
    todo = iter(range(len(pieces)))

    def work() -> None:
        for number in todo:
            made = hasher()
            for part in pieces[number]:
                made.update(part)
            found[number] = made.hexdigest()

    helper = threading.Thread(target=work)
    helper.start()
    try:
        first()
        work()
    finally:
        helper.join()
    return "".join(found)
