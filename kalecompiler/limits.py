"""What Kubeflow Pipelines can express, and what it cannot: checked here, as the backend does not check it at submit.

No kfp is imported: `kalec check` reports these findings too.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from kalecompiler import settingrules, steprules
from kalecompiler.diagnostics import (
    PARAMETER_NAME,
    RESOURCE_NOT_CARRIED,
    TEXT_NOT_CARRIED,
    UNSUPPORTED_DEFAULT,
    Diagnostic,
)
from kalecompiler.model import Location, Parameter, Pipeline, Step

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_IMAGE = "python:3.11"
"""The image of a step that names none."""

QUANTITIES = {
    "cpu": re.compile(r"([0-9]*\.)?[0-9]+m?"),
    "memory": re.compile(r"[0-9]+([EPTGMK]i?)?"),
}
"""The resources that KFP has a field for, and how it wants their quantities written."""

EXACT_INTEGER = 2**53
"""KFP carries every number as a double: integers beyond this one lose digits."""

DEEPEST = 30
"""How deep a parameter's lists and dicts may be nested: protobuf reads a hundred levels of its own."""

_PARAMETER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_KFP_RESERVED = {"Output", "self"}
# What Argo knows how to fill in; anything else in double braces it leaves alone.
_REPLACED = re.compile(
    r"\{\{\s*(=|\$|(workflow|inputs|outputs|tasks|steps|pod|node|item|retries)\b).*?(\}\}|$)", re.DOTALL
)
_ACCELERATOR = re.compile(r"[a-z0-9.-]+/[A-Za-z0-9._-]+")


def check_expressible(pipeline: Pipeline) -> tuple[Diagnostic, ...]:
    """Everything in the pipeline that KFP cannot express, as KC126 to KC129, KC403 and KC504 to KC507."""
    whole = Location(pipeline.notebook)
    findings = [*steprules.check(pipeline)]
    for what, text in (("description", pipeline.description), ("display name", pipeline.whole.display_name)):
        findings += _text_findings(f"the pipeline's {what}", text, whole)
    for parameter in pipeline.parameters:
        findings += _parameter_findings(parameter, parameter.origin or whole)
    for step in pipeline.steps:
        findings += _step_findings(step, step.origin or whole)
    return tuple(findings)


def _parameter_findings(parameter: Parameter, location: Location) -> Iterator[Diagnostic]:
    name = parameter.name
    if not _PARAMETER_NAME.fullmatch(name) or name in _KFP_RESERVED:
        yield Diagnostic(
            PARAMETER_NAME,
            f"KFP cannot have a parameter named `{name}`",
            location,
            "a parameter's name starts with a letter, has ASCII letters, digits and underscores, "
            "and is neither Output nor self",
        )
    reason = None if parameter.optional and parameter.default is None else why_not_carried(parameter.default)
    if reason:
        yield Diagnostic(
            UNSUPPORTED_DEFAULT,
            f"the default of `{name}` holds {reason}, which KFP cannot carry",
            location,
            "compute the value in a step, or pass it as text",
        )


def why_not_carried(value: Any, depth: int = 0) -> str | None:
    """What in the value keeps it from being a KFP parameter, in words; None where nothing does."""
    if depth > DEEPEST:
        return f"lists or dicts within each other, more than {DEEPEST} deep"
    if isinstance(value, dict):
        keys = ("a key that is no text" for key in value if not isinstance(key, str))
        return next(keys, None) or why_not_carried([*value, *value.values()], depth)
    if isinstance(value, list):
        return next((reason for item in value if (reason := why_not_carried(item, depth + 1))), None)
    return _why_scalar_not_carried(value)


def _why_scalar_not_carried(value: Any) -> str | None:
    if isinstance(value, str):
        return None if _encodable(value) else "half of a surrogate pair"
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return None if abs(value) <= EXACT_INTEGER else "an integer beyond 2**53"
    if isinstance(value, float):
        return None if math.isfinite(value) else str(value)
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _step_findings(step: Step, location: Location) -> Iterator[Diagnostic]:
    settings = step.settings
    yield from _text_findings("the step's name", step.name, location)
    for kind, pairs in (("label", settings.labels), ("annotation", settings.annotations)):
        for key, value in pairs:
            yield from _text_findings(f"{kind} `{key}` of step `{step.name}`", key + value, location)
    for key, value in settings.annotations:
        if match := _REPLACED.search(value):
            what = f"annotation `{key}` of step `{step.name}` holds `{settingrules.shown(match[0])}`"
            where = settings.origin("annotation", key=key) or location
            hint = "leave out the braces: other text in double braces stays as it is"
            yield Diagnostic(TEXT_NOT_CARRIED, f"{what}, which KFP's engine would replace", where, hint)
    for kind, key, value in settings.others:
        yield from _text_findings(f"`{kind}` of step `{step.name}`", key + value, settings.origin(kind) or location)
    if settings.image is not None and settingrules.image("", settings.image):
        yield Diagnostic(
            TEXT_NOT_CARRIED,
            f"step `{step.name}` has no usable image: `{settings.image}`",
            location,
            "an image is written like registry.example.org/team/image:tag",
        )
    yield from _resource_findings(step, location)


def _text_findings(what: str, text: str, location: Location) -> Iterator[Diagnostic]:
    if not _encodable(text):
        yield Diagnostic(TEXT_NOT_CARRIED, f"{what} holds half of a surrogate pair, which no package can", location)


def _resource_findings(step: Step, location: Location) -> Iterator[Diagnostic]:
    settings = step.settings
    accelerators = [name for name, _ in settings.limits if name not in QUANTITIES]
    if len(accelerators) > 1:
        reason = f"two kinds of accelerator: {' and '.join(f'`{name}`' for name in accelerators)}"
        yield _uncarried(step, reason, settings.origin("limit", key=accelerators[1]) or location)
    for kind, pairs, reason_of in (
        ("limit", settings.limits, _limit_reason),
        ("request", settings.requests, _request_reason),
    ):
        for name, quantity in pairs:
            if wrong := reason_of(name, quantity):
                yield _uncarried(step, wrong, settings.origin(kind, key=name) or location, name)


def _uncarried(step: Step, reason: str, location: Location, resource: str = "") -> Diagnostic:
    hint = "it takes cpu (2, 0.5, 500m), memory (4Gi, 512M), and one accelerator as a limit (nvidia.com/gpu, 1)"
    if resource == "ephemeral-storage":
        hint = "an empty folder with a bound takes its place, as in `empty-dir:work:/work:size=10Gi`"
    return Diagnostic(RESOURCE_NOT_CARRIED, f"KFP cannot give step `{step.name}` {reason}", location, hint)


def _limit_reason(name: str, quantity: str) -> str | None:
    if name in QUANTITIES:
        return _request_reason(name, quantity)
    carried = _ACCELERATOR.fullmatch(name) and re.fullmatch("[0-9]{1,9}", quantity)
    return None if carried else f"a limit of `{quantity}` for `{name}`"


def _request_reason(name: str, quantity: str) -> str | None:
    pattern = QUANTITIES.get(name)
    return None if pattern and pattern.fullmatch(quantity) else f"`{quantity}` of `{name}`"


def _encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
