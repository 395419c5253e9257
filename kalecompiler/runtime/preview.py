"""A few rows in an artifact's metadata, where the setting asks for them: never of what looks like a secret."""

from __future__ import annotations

from . import about

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SECRETS = "password passwd pwd secret token credential key auth private".split()
LENGTH = 4000


def preview(value: Any, variable: str, rows: int) -> dict[str, str]:
    """{"preview": text} of the first rows, without columns whose names look like secrets; {} where there is none."""
    if secret(variable) or secret(getattr(value, "name", "")):
        return {}
    if hasattr(value, "columns"):
        places = [place for place, name in enumerate(value.columns) if not secret(name)][:50]
        value = value.iloc[:, places] if hasattr(value, "iloc") else value[:, places]
    return {"preview": about.text(value[:rows], LENGTH)}


def secret(name: object) -> bool:
    """Whether that name looks like one of a secret."""
    return any(word in str(name).lower() for word in SECRETS)
