"""Functions and classes that share their name with others: pickled by a second name that the compiler gives them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PREFIX = "_edition_"


def install(namespace: Mapping[str, Any]) -> None:
    """Have the definitions of which the namespace holds second names saved by these."""
    from . import saving

    names = {id(value): name for name, value in namespace.items() if name.startswith(PREFIX)}
    saving.EXTRA.append(lambda value, spans: names.get(id(value), NotImplemented))
