"""`pip install` in a notebook, as a shell line or a magic, becomes requirements of the step."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace

from packaging.requirements import InvalidRequirement, Requirement

from kalecompiler.diagnostics import CONDA_INSTALL, INVALID_REQUIREMENT, PIP_OPTION
from kalecompiler.findings import Outcome, Problem, problem
from kalecompiler.wording import listed_once

_PIP = re.compile(
    r"""^(?:sudo\s+(?:-\w+\s+)*)?
    (?:(?:\{sys\.executable\}|"\{sys\.executable\}"|\$sys\.executable|(?:\S*/)?python[\d.]*)\s+(?:-\w\s+)*-m\s+)?
    (?:uv\s+)?(?:\S*/)?pip[\d.]*\s+(?P<rest>.*)$""",
    re.VERBOSE | re.DOTALL,
)
_CONDA = re.compile(r"^(?:\S*/)?(?:conda|mamba|micromamba)\s+(?P<rest>.*)$", re.DOTALL)
_CONDA_VALUED = re.compile(r"(?:^|\s)(?:-[cnp]|--(?:channel|name|prefix|file|solver|repodata-fn))(?:\s+|=)\S+")
_CONDA_VERSION = re.compile(r"^(?P<name>[\w.-]+)=(?P<exact>=?)(?P<version>[^=]+)(?P<build>=.*)?$")
_REDIRECT = re.compile(r"^(?:\d|&)?>{1,2}(?P<target>&\d|[^=].*)?$")
_OPERATOR = re.compile(r"""'[^']*' | "[^"]*" | \d?>&\d? | &> | (?P<operator>&&|\|\||[;&|])""", re.VERBOSE)
_URL = re.compile(r"^(?:(?:git|hg|svn|bzr)\+|https?://)")
# Options of pip without a value, and with one, that change nothing about what a step needs.
_FLAGS = {
    "-U", "-q", "-v", "-I", "-y", "-qq", "-qqq", "-vv", "-vvv", "--upgrade", "--quiet", "--verbose", "--user", "--yes",
    "--no-cache-dir", "--no-cache", "--force-reinstall", "--ignore-installed", "--disable-pip-version-check",
    "--no-input", "--no-warn-script-location", "--no-warn-conflicts", "--no-python-version-warning", "--no-color",
    "--break-system-packages", "--prefer-binary", "--system",
}  # fmt: skip
_VALUED = {
    "--progress-bar", "--upgrade-strategy", "--root-user-action", "--timeout", "--default-timeout", "--retries",
    "--exists-action", "--use-feature", "--cache-dir", "--log",
}  # fmt: skip
# Options with a value that a step would need but does not get.
_LOST = {
    "-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--trusted-host", "-t", "--target", "--prefix",
    "--root", "--no-binary", "--only-binary", "--platform", "--python-version", "--proxy", "--cert",
}  # fmt: skip
_LEADING = re.compile(rf"(?:(?:{'|'.join(sorted(_VALUED | _LOST))})\s+\S+|-\S+)\s+")
_LISTS = {"-r": "-r", "--requirement": "-r", "-c": "-c", "--constraint": "-c"}
_INDEX = {"-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--trusted-host"}


def shell_install(command: str) -> Outcome | None:
    """What a shell command that installs packages becomes; None where it is another command.

    A longer command that also does something else stays a shell command, with a warning.
    """
    pieces = _pieces(command)
    outcomes = [_single(piece) for piece in pieces]
    if not any(outcomes):
        return None
    found = [outcome for outcome in outcomes if outcome is not None]
    if len(found) < len(pieces):
        message = "an install inside a longer shell command runs at each start of the step"
        warning = problem(PIP_OPTION, message, "write `%pip install ...` on a line of its own")
        return Outcome(problems=(warning,))
    return Outcome(
        "pass",
        requirements=tuple(r for outcome in found for r in outcome.requirements),
        problems=tuple(p for outcome in found for p in outcome.problems),
    )


def pip_magic(arguments: str) -> Outcome:
    """What `%pip arguments` becomes."""
    return shell_install(f"pip {arguments}") or Outcome("pass")


def conda_magic(arguments: str) -> Outcome:
    """What `%conda arguments` becomes."""
    return shell_install(f"conda {arguments}") or Outcome("pass")


def valid_requirement(text: str) -> bool:
    """Whether pip would take `text` as a requirement: PEP 508, or the address of a package."""
    if _URL.match(text):
        return True
    try:
        Requirement(text)
    except InvalidRequirement:
        return False
    return True


def _single(command: str) -> Outcome | None:
    """The outcome of one simple command: pip, conda, or None for any other."""
    if match := _PIP.match(command):
        return _pip(match["rest"].strip())
    if match := _CONDA.match(command):
        return _conda(match["rest"])
    return None


def _pieces(command: str) -> list[str]:
    """The commands that `&&`, `||` and `;` join; what a pipe does with pip's output is cut off.

    Quotes are kept. A command with unbalanced quotes is one piece.
    """
    parts: list[str] = []
    start, piped = 0, False
    for match in _OPERATOR.finditer(command):
        if not match["operator"]:
            continue
        parts += [] if piped else [command[start : match.start()]]
        piped, start = match["operator"] == "|", match.end()
    parts += [] if piped else [command[start:]]
    return [part.strip() for part in parts if part.strip()]


def _pip(arguments: str) -> Outcome:
    """What `pip arguments` becomes. Options may stand before the verb, too."""
    start = 0
    while option := _LEADING.match(arguments, start):
        start = option.end()
    verb, *rest = arguments[start:].split(None, 1) or [""]
    if verb == "install":
        return _install(" ".join([arguments[:start], *rest]))
    if verb in ("uninstall", "download", "wheel"):
        message = f"`pip {verb}` has no effect in a step: its packages come with the image or from requirements"
        return Outcome("pass", problems=(problem(PIP_OPTION, message, "remove the line"),))
    return Outcome("pass")


def _conda(rest: str) -> Outcome:
    verb, _, packages = rest.strip().partition(" ")
    if verb not in ("install", "create", "env", "update", "uninstall", "remove"):
        return Outcome("pass")
    message = f"`conda {verb}` has no effect in a step: its image need not have conda"
    names = _as_pip_names(packages) if verb == "install" else []
    hint = f"write `%pip install {' '.join(names)}`" if names else "name an image that has the packages"
    return Outcome("pass", problems=(problem(CONDA_INSTALL, message, f"{hint}, or remove the line"),))


def _as_pip_names(packages: str) -> list[str]:
    """What conda is to install as pip would write it: no channels, no Python, `==1.2.*` for `=1.2`."""
    words = [word for word in _CONDA_VALUED.sub(" ", packages).split() if not word.startswith("-")]
    plain = [_CONDA_VERSION.sub(_as_pip_version, word.rpartition("::")[2]) for word in words]
    return [word for word in plain if not re.match(r"['\"]?(?:python|pip)\b", word)]


def _as_pip_version(match: re.Match[str]) -> str:
    open_ended = not match["exact"] and not match["build"] and not match["version"].endswith("*")
    return f"{match['name']}=={match['version']}{'.*' if open_ended else ''}"


def _install(arguments: str) -> Outcome:
    """The requirements that the arguments of `pip install` name, and a problem for each that cannot be carried."""
    try:
        words = shlex.split(arguments, comments=True)
    except ValueError:
        return Outcome("pass", problems=(_invalid(arguments),))
    outcome = Outcome("pass")
    while words:
        word = words.pop(0)
        if redirect := _REDIRECT.match(word):
            del words[: 0 if redirect["target"] else 1]
            continue
        outcome = _option(outcome, word, words) if word.startswith("-") else _package(outcome, word)
    return outcome


def _option(outcome: Outcome, word: str, rest: list[str]) -> Outcome:
    """Add what an option means; takes its value off `rest`."""
    name, equals, value = word.partition("=")
    if word[:2] in ("-r", "-c", "-i", "-f", "-t", "-e") and len(word) > 2 and not word.startswith("--"):
        name, equals, value = word[:2], "=", word[2:].removeprefix("=")
    if name in _FLAGS:
        return outcome
    if not equals and (name in _VALUED | _LOST or name in _LISTS or name in ("-e", "--editable")):
        value = rest.pop(0) if rest else ""
    if name in _VALUED:
        return outcome
    if name in _LISTS:
        return replace(outcome, requirements=(*outcome.requirements, f"{_LISTS[name]} {value}"))
    if name in ("-e", "--editable"):
        return _package(outcome, value)
    return replace(outcome, problems=(*outcome.problems, _not_carried(name)))


def _package(outcome: Outcome, word: str) -> Outcome:
    """Add a requirement, or the problem that it is none."""
    if valid_requirement(word):
        return replace(outcome, requirements=(*outcome.requirements, word))
    return replace(outcome, problems=(*outcome.problems, _invalid(word)))


def _not_carried(option: str) -> Problem:
    hint = "remove the option, or name an image that has the package"
    if option in _INDEX:
        hint = "set `index_url` and `trusted_hosts` in [tool.kalecompiler]"
    return problem(PIP_OPTION, f"pip's option {listed_once([option])} is not carried into the step", hint)


def _invalid(text: str) -> Problem:
    hint = "name a package of an index, with a version or an address: `pandas>=2`, `git+https://...`"
    if "{" in text or "$" in text:
        hint = "write the requirement out: what is installed must be known when the notebook is compiled"
    elif text.startswith((".", "/", "~")) or "/" in text:
        hint = "a step cannot see that path: import modules beside the notebook without installing them"
    return problem(INVALID_REQUIREMENT, f"`{text}` is not a requirement that a step can install", hint)
