"""Ports: the names that a step's parameters, inputs and outputs have in KFP, one namespace for each step."""

from __future__ import annotations

import hashlib
import keyword
import re
import unicodedata
from collections.abc import Iterable

_RESERVED = frozenset({"self", "Output"})  # kfp takes these names for its own


def ascii_name(variable: str) -> str:
    """A variable's name if KFP can take it, else a likeness of it that begins with a letter and is ASCII.

    The digest keeps names apart that differ in what ASCII lacks.
    """
    if variable.isascii() and not keyword.iskeyword(variable) and variable not in _RESERVED:
        return variable if variable[0].isalpha() else f"v{variable}"
    plain = unicodedata.normalize("NFKD", variable).encode("ascii", "ignore").decode()
    digest = hashlib.sha256(variable.encode()).hexdigest()[:8]
    return f"v_{re.sub(r'[^0-9A-Za-z_]', '_', plain)}_{digest}"


def assign(wanted: Iterable[tuple[str, str]], taken: Iterable[str]) -> list[str]:
    """A port for each (variable, suffix): the variable's name where it is free, else with the suffix, else counted.

    The same wishes get the same ports, whatever other steps do.
    """
    used = set(taken)
    ports: list[str] = []
    for variable, suffix in wanted:
        base = ascii_name(variable)
        candidates = [base, f"{base}_{suffix}"]
        port = next((c for c in candidates if c not in used), None)
        number = 2
        while port is None:
            if f"{base}_{suffix}_{number}" not in used:
                port = f"{base}_{suffix}_{number}"
            number += 1
        used.add(port)
        ports.append(port)
    return ports
