"""The JSON schema of `[tool.kalecompiler]`, made from the rows of the settings: with it editors complete and check."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kalecompiler.settingtable import CHECK_KEYS, ELSEWHERE, PAIR_TYPES, TAGS, VALUES
from kalecompiler.settingvalues import GRAMMAR, Kind, Shape

FILE = Path(__file__).parent / "schema" / "kalecompiler.schema.json"
"""The schema as it is shipped."""

_TYPES: Mapping[type, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}
_TEXTS: Mapping[str, Any] = {"type": "array", "items": {"type": "string"}}
_SHAPES: Mapping[Shape, Mapping[str, Any]] = {
    Shape.TEXT: {"type": "string"},
    Shape.NUMBER: {"type": ["string", "integer"]},
    Shape.SWITCH: {"enum": [True, False, "enabled", "disabled"]},
    Shape.LIST: {"anyOf": [_TEXTS, {"type": "string"}]},
}


def schema() -> dict[str, Any]:
    """The schema as JSON values."""
    kinds = {kind.name: (name, kind) for name, kind in GRAMMAR.items() if kind.name}
    of_one = {key: _setting(name, kind) for key, (name, kind) in kinds.items()} | {TAGS: _tags()}
    of_all = {key: row for key, row in of_one.items() if key == TAGS or kinds[key][1].shared}
    values = {
        key: {**value.schema, "description": f"{value.becomes}; as in {value.table}" if value.table else value.becomes}
        for key, value in VALUES.items()
    }
    steps = {"type": "object", "additionalProperties": _table(of_one), "description": "settings of single steps"}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "[tool.kalecompiler]",
        "description": "Settings of notebooks that kalecompiler compiles; `_` in a key stands for `-`",
        **_table({**of_all, **values, "steps": steps, **_elsewhere()}),
    }


def text() -> str:
    """The schema as it is shipped."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def _table(properties: Mapping[str, Any]) -> dict[str, Any]:
    underscored = {key.replace("-", "_"): row for key, row in properties.items() if "-" in key}
    return {"type": "object", "properties": {**properties, **underscored}, "additionalProperties": False}


def _setting(name: str, kind: Kind) -> dict[str, Any]:
    if kind.shape is Shape.PAIRS:
        types = sorted(_TYPES[one] for one in PAIR_TYPES.get(name, (str,)))
        shape: Mapping[str, Any] = {"type": "object", "additionalProperties": {"type": types}}
    else:
        shape = _SHAPES[kind.shape]
    return {**shape, "description": f"like the tag {kind.example}; becomes {kind.becomes}", "x-example": kind.table}


def _tags() -> dict[str, Any]:
    return {**_SHAPES[Shape.LIST], "description": "settings written as tags, like limit:cpu:2"}


def _elsewhere() -> dict[str, Any]:
    """Keys that other commands read, and check themselves."""
    told = {"description": "read by `kalec check`"}
    texts: dict[str, Any] = {key: {**_TEXTS, **told} for key in CHECK_KEYS}
    texts["per-file-ignores"] = {"type": "object", "additionalProperties": _TEXTS, **told}
    texts["baseline"] = {"type": "string", **told}
    others = {key: {"description": "read by other commands"} for key in ELSEWHERE if key not in texts}
    return {**others, **texts}
