"""Whether a notebook is one of ours, told from its bytes before anything is parsed: most notebooks are not."""

from __future__ import annotations

import json
import re

from kalecompiler import taglanguage
from kalecompiler.diagnostics import MISSPELT_TAG
from kalecompiler.model import Role

# A list of strings, or one string, under the key "tags". Within a JSON string the quotes would be escaped.
_TAGS = re.compile(rb'"tags"\s*:\s*(\[\s*(?:"(?:[^"\\]|\\.)*"\s*(?:,\s*)?)*\]|"(?:[^"\\]|\\.)*")')
# Metadata that only pipelines have: a notebook with it and without tags has lost them.
_METADATA = re.compile(rb'"(?:kubeflow_notebook|kalecompiler)"\s*:')
# What a tag that is not quite right was perhaps meant to be.
_STEP = re.compile("`(?:step|block|prev):")
# Roles whose tags other tools use too say nothing.
_COMMON = (Role.SKIP, Role.PARAMETERS, Role.HANDLER)


def is_tagged(data: bytes) -> bool:
    """Whether a notebook's bytes hold a tag that nobody but kalecompiler or Kale would write, or metadata of theirs."""
    if data.count(b"\0", 0, 4):  # UTF-16 or UTF-32
        data = data.decode(json.detect_encoding(data), errors="replace").encode()
    if _METADATA.search(data):
        return True
    return any(_ours(raw) for raw in dict.fromkeys(found[1] for found in _TAGS.finditer(data)))


def _ours(raw: bytes) -> bool:
    """Whether one of these tags, as they stand in the JSON, is ours or was meant to be."""
    try:
        tags = json.loads(raw)
    except ValueError:
        return False
    parsed = [taglanguage.parse(text) for text in ([tags] if isinstance(tags, str) else tags)]
    return any(_telling(tag) for tag in parsed)


def _telling(tag: taglanguage.Tag) -> bool:
    if tag.text in ("pipeline-parameters", "pipeline-metrics") or tag.step is not None or tag.previous:
        return True
    if tag.finding is not None:
        return tag.finding.rule is MISSPELT_TAG or bool(_STEP.search(tag.finding.hint or ""))
    return tag.role is not None and tag.role not in _COMMON
