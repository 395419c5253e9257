"""The tag language, one tag at a time: text -> what it says, or what is wrong with it. Nothing here knows of cells.

README has the table. Kale's older spellings are read: `block:NAME` is `step:NAME`, `block:imports`
is `imports`, `parameters` is `pipeline-parameters`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kalecompiler import diagnostics as rules
from kalecompiler.diagnostics import Rule
from kalecompiler.model import Role
from kalecompiler.settingrules import shown
from kalecompiler.settingvalues import GRAMMAR, SettingError, parse_setting

ROLES = {role.value: role for role in Role if role is not Role.STEP} | {"parameters": Role.PARAMETERS}
# The roles that Kale knows too: `block:imports` is one, and no step can have such a name.
RESERVED = frozenset(role.value for role in Role if role not in (Role.STEP, Role.HANDLER))

_STEP_PREFIXES = ("step", "block")
_PREFIXES = (*_STEP_PREFIXES, "prev", *GRAMMAR)
# Tags of ours that are whole words, apart from the roles.
_FLAGS = ("exit", "noqa")
_NEARLY = {
    "import": "imports",
    "function": "functions",
    "parameter": "parameters",
    "metrics": "pipeline-metrics",
    "handlers": "handler",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a tag, before it is known where it stands."""

    rule: Rule
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Tag:
    """What one tag says; a tag of another tool says nothing. An empty `step` joins the step above.

    `setting` is (kind, key, value); a tag with a `finding` may still say something.
    """

    text: str
    role: Role | None = None
    step: str | None = None
    previous: tuple[str, ...] = ()
    setting: tuple[str, str, str] | None = None
    finding: Finding | None = None

    @property
    def ours(self) -> bool:
        """Whether it says anything to kalecompiler."""
        return self.role is not None or self.step is not None or bool(self.previous) or self.setting is not None


def tags_of(metadata: Mapping[str, Any]) -> list[Tag]:
    """The tags in a cell's metadata, each once; what is no text is left out."""
    tags = metadata.get("tags")
    texts = tags if isinstance(tags, list) else [tags]
    return [parse(text) for text in dict.fromkeys(t for t in texts if isinstance(t, str))]


def parse(text: str) -> Tag:
    """Read one tag; never raises, whatever the text."""
    if text in ROLES:
        return Tag(text, role=ROLES[text])
    if text == "noqa" or text.startswith("noqa:"):
        return Tag(text)
    if text in _FLAGS:
        return _setting(text, text, "")
    prefix, colon, rest = text.partition(":")
    if not colon or prefix not in (*_PREFIXES, "exit", "notebook"):
        return _misspelt(text)
    if prefix in _STEP_PREFIXES:
        return _step(text, prefix, rest)
    if prefix == "prev":
        return _prev(text, rest)
    if prefix == "notebook":
        return _notebook(text)
    if prefix == "exit":
        return _exit(text, rest)
    return _setting(text, prefix, rest)


def present_spelling(tag: Tag) -> str | None:
    """A tag of ours as it is spelt today, where it is in the spelling of Kale's early versions; else None."""
    prefix, colon, name = tag.text.partition(":")
    if not colon or prefix != "block" or tag.finding is not None:
        return None
    return tag.role.value if tag.role is not None else f"step:{name}"


def correction(tag: Tag) -> str | None:
    """The one right form of a misspelt or malformed tag; None where there is none, or more than one."""
    right = None
    if tag.finding is not None and tag.finding.rule is rules.MISSPELT_TAG:
        right = _right_spelling(tag.text)[0]
    elif tag.finding is not None and tag.finding.rule is rules.MALFORMED_TAG and tag.text.startswith("prev:"):
        names = filter(None, (name.strip() for name in re.split(r"[:,]", tag.text.removeprefix("prev:"))))
        right = ":".join(["prev", *names])
    new = parse(right) if right else None
    return right if new is not None and new.ours and new.finding is None else None


def _step(text: str, prefix: str, name: str) -> Tag:
    if prefix == "block" and name in RESERVED | {"parameters"}:
        return Tag(text, role=ROLES[name])
    if name in RESERVED:
        hint = f"write the tag `{name}` if the cell is that, or give the step another name"
        return Tag(text, step=name, finding=Finding(rules.RESERVED_STEP_NAME, f"no step can be named `{name}`", hint))
    return Tag(text, step=name)


def _prev(text: str, rest: str) -> Tag:
    names = tuple(re.split(r"[:,]", rest))
    if "," in rest or any(not name or name != name.strip() for name in names):
        right = ":".join(filter(None, (name.strip() for name in names))) or "NAME"
        finding = Finding(rules.MALFORMED_TAG, f"the tag `{text}` is malformed", f"write `prev:{right}`")
        return Tag(text, finding=finding)
    return Tag(text, previous=names)


def _exit(text: str, name: str) -> Tag:
    """`exit:NAME` is `step:NAME` and `exit`."""
    if not name or name != name.strip():
        return Tag(text, finding=Finding(rules.MALFORMED_TAG, f"the tag `{text}` is malformed", "write `exit:cleanup`"))
    return replace(_step(text, "exit", name), setting=("exit", "", ""))


def _notebook(text: str) -> Tag:
    message = f"the tag `{text}` refers to another notebook, which kalecompiler does not include"
    hint = "compile that notebook on its own, or move its cells here; `skip` leaves this cell out"
    return Tag(text, finding=Finding(rules.UNSUPPORTED_TAG, message, hint))


def _setting(text: str, kind: str, rest: str) -> Tag:
    try:
        setting = parse_setting(kind, rest)
    except SettingError as error:
        rule = rules.MALFORMED_TAG if error.malformed else rules.INVALID_SETTING
        return Tag(text, finding=Finding(rule, f"the tag `{shown(text)}` {error}", error.hint))
    return Tag(text, setting=(setting.kind, setting.key, setting.value))


def _misspelt(text: str) -> Tag:
    """A tag that is none of ours: of another tool, or nearly one of ours."""
    right, sure = _right_spelling(text)
    if right is None:
        return Tag(text)
    if sure:
        # taken for what it must mean, so that one slip is one finding
        finding = Finding(rules.MISSPELT_TAG, f"the tag `{text}` is misspelt", f"write `{right}`")
        return replace(parse(right), text=text, finding=finding)
    message = f"the tag `{text}` is ignored, but looks like one of kalecompiler's"
    return Tag(text, finding=Finding(rules.SUSPICIOUS_TAG, message, f"did you mean `{right}`?"))


def _right_spelling(text: str) -> tuple[str | None, bool]:
    """What a tag should perhaps have been, and whether no other tool can be meant."""
    word = text.strip().lower().replace("_", "-").replace(" ", "-")
    if word in ROLES:
        return word, True
    if word in _NEARLY:
        return _NEARLY[word], False
    if word.startswith("pipeline-"):
        near = difflib.get_close_matches(word, ["pipeline-parameters", "pipeline-metrics"], n=1, cutoff=0.85)
        return (near[0], True) if near else (None, False)
    match = re.fullmatch(r"\s*([A-Za-z_-]+)(\s*[:=]\s*|\s+|$)(.*)", text, re.DOTALL)
    return _right_prefix(match[1], match[2], match[3].strip()) if match else (None, False)


def _right_prefix(written: str, separator: str, rest: str) -> tuple[str | None, bool]:
    """The same for a tag made of a prefix and a value: `Step:a`, `steps:a`, `step=a`, `step a`, `stpe:a`."""
    same = {prefix.rstrip("s"): prefix for prefix in _PREFIXES}
    prefix = same.get(written.lower().replace("_", "-").rstrip("s"))
    mark = separator.strip()
    if not mark:
        # one word or two: only those that begin like a step's tag can be ours
        ours = prefix in (*_STEP_PREFIXES, "prev") and " " not in rest
        return (f"{prefix}:{rest or 'NAME'}" if ours else None), False
    if prefix:
        return f"{prefix}:{rest}", True
    near = difflib.get_close_matches(written.lower(), _PREFIXES, n=1, cutoff=0.75) if mark == ":" else []
    return (f"{near[0]}:{rest}", False) if near else (None, False)
