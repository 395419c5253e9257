"""What secrets look like: by a form that only they have, or by the name that they are given. Data, mostly.

The forms are those that the providers document for their own scanners.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret in a line of a cell, from column `start` to `end`, counted from 0."""

    kind: str
    line: int
    start: int
    end: int
    certain: bool


#: Secrets with a form of their own.
KNOWN: dict[str, re.Pattern[str]] = {
    "an AWS access key": re.compile(r"(?<![A-Za-z0-9])(?P<secret>(?:AKIA|ASIA)[A-Z2-7]{16})(?![A-Za-z0-9])"),
    "a GitHub token": re.compile(r"(?<!\w)(?P<secret>gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{50,})(?!\w)"),
    "a GitLab token": re.compile(r"(?<!\w)(?P<secret>glpat-[\w-]{20,})"),
    "a Hugging Face token": re.compile(r"(?<!\w)(?P<secret>hf_[A-Za-z]{30,})(?!\w)"),
    "an OpenAI or Anthropic key": re.compile(r"(?<![\w-])(?P<secret>sk-(?=[\w-]*\d)[\w-]{32,})(?![\w-])"),
    "a Google API key": re.compile(r"(?<![\w-])(?P<secret>AIza[\w-]{35})(?![\w-])"),
    "a Slack token": re.compile(r"(?<!\w)(?P<secret>xox[abprs]-[\w-]{10,})"),
    "a Stripe key": re.compile(r"(?<!\w)(?P<secret>[rs]k_live_[A-Za-z0-9]{16,})"),
    "a private key": re.compile(r"(?P<secret>-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----.*)"),
    "a password in an address": re.compile(r"\w://[^\s:/@\"'{}<>$]+:(?P<secret>[^\s:/@\"'{}<>$]{3,})@[\w.-]"),
}

#: What any of them begins with, or holds: few texts have one of these.
SIGNS = re.compile(
    r"AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|hf_|sk-|AIza|xox|k_live_|PRIVATE KEY|://|^\s*[%!]", re.MULTILINE
)

_PASSWORD = re.compile(r"(?:^|_)(?:password|passwd|pwd|passphrase|client_?secret|secret)$")
_KEY = re.compile(
    r"(?:^|_)(?:api_?key|secret_?key|access_?key|secret_?access_?key|account_?key|auth_?token|access_?token"
    r"|api_?token|bearer_?token|refresh_?token|token)$"
)
_STAND_IN = re.compile(
    r"<|>|\{|\$|\*{3}|\.\.\.|x{4}|your|example|placeholder|dummy|change.?me|todo|redact|hidden|insert|fill|sample"
    r"|none|null|(?:my|the|some)?[-_ ]?(?:password|passwd|pass|pwd|secret|token|key|api.?key)s?\Z",
    re.IGNORECASE,
)
_ENVIRONMENT = re.compile(
    r"^\s*(?:%env|[!%]+\s*(?:export|set_env|env))\s+(?P<name>\w+)\s*[= ]\s*[\"']?(?P<secret>[^\s\"']+)"
)


def said(text: str) -> bool:
    """Whether a text only says where a secret is to stand: `<your key>`, `***`, `changeme`."""
    return _STAND_IN.match(text) is not None or _STAND_IN.search(text) is not None


def named(name: str, value: str) -> str:
    """What a text under a name is: `a password`, `a key or token`, or nothing."""
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()
    if len(value) < 4 or re.search(r"\s", value) or said(value) or value.lower() == plain:
        return ""
    if _PASSWORD.search(plain):
        return "a password or secret"
    return "a key or token" if _KEY.search(plain) and _random(value) else ""


def _random(text: str) -> bool:
    """Whether a text looks made by a machine: long, with letters and digits."""
    return len(text) >= 16 and bool(re.search(r"\d", text)) and bool(re.search(r"[A-Za-z]", text)) and text[0] != "/"


def spoken(line: str, number: int) -> Iterator[Secret]:
    """The secret that a line of IPython's syntax puts into the environment: `%env API_KEY=...`."""
    match = _ENVIRONMENT.match(line)
    kind = named(match["name"], match["secret"]) if match else ""
    if match and kind:
        yield Secret(kind, number, *match.span("secret"), certain=False)
