"""Findings are values: a `Rule` says what kind, a `Diagnostic` what, where and how to cure it.

Every rule of the compiler is listed here, once. Its page (what, why, a wrong and a right example) is
`rules/<code>.md` beside this file; `kalec rule CODE` prints it, and docs/rules.md is made from the pages.
Codes are stable: a retired code is never given away again. Messages are in lower case, without a full stop, and can
stand alone; the cure goes into the hint.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from kalecompiler.model import Location


class Severity(enum.Enum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of finding: its stable code, a name in kebab case, how much it weighs, and whether it is on by default."""

    code: str
    name: str
    severity: Severity
    on: bool = True


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: `message` says what is wrong, `hint` what to do about it."""

    rule: Rule
    message: str
    location: Location
    hint: str | None = None

    @property
    def severity(self) -> Severity:
        return self.rule.severity


class KalecError(Exception):
    """An error that a user can cure: `str()` is the whole message, `status` the exit code of the command."""

    status = 1


class UsageError(KalecError):
    """The call, the configuration or an unreadable path is wrong."""

    status = 2


class NotebookError(KalecError):
    """A notebook does not compile; `diagnostics` has every finding, warnings too."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        errors = [d for d in self.diagnostics if d.severity is Severity.ERROR]
        super().__init__("\n".join(f"{d.rule.code}: {d.message}" for d in errors))


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether any of the findings is an error."""
    return any(d.severity is Severity.ERROR for d in diagnostics)


def _error(code: str, name: str) -> Rule:
    return Rule(code, name, Severity.ERROR)


def _warning(code: str, name: str) -> Rule:
    return Rule(code, name, Severity.WARNING)


def _off(code: str, name: str) -> Rule:
    """A warning for those who select it."""
    return Rule(code, name, Severity.WARNING, on=False)


# KC0xx: the file
INVALID_JSON = _error("KC001", "invalid-json")
INVALID_NOTEBOOK = _error("KC002", "invalid-notebook")
OTHER_LANGUAGE = _error("KC003", "other-language")
NO_STEPS = _error("KC004", "no-steps")

# KC1xx: tags and settings
INVALID_TAGS = _error("KC101", "invalid-tags")
MALFORMED_TAG = _error("KC102", "malformed-tag")
MISSPELT_TAG = _error("KC103", "misspelt-tag")
SUSPICIOUS_TAG = _warning("KC104", "suspicious-tag")
UNSUPPORTED_TAG = _error("KC106", "unsupported-tag")
SEVERAL_STEPS = _error("KC107", "several-steps")
CONTRADICTORY_ROLES = _error("KC108", "contradictory-roles")
TAG_ON_TEXT_CELL = _warning("KC109", "tag-on-text-cell")
TAG_OUTSIDE_STEP = _warning("KC110", "tag-outside-step")
PREV_WITHOUT_STEP = _error("KC111", "prev-without-step")
UNKNOWN_STEP = _error("KC112", "unknown-step")
PREV_TO_ITSELF = _error("KC113", "prev-to-itself")
PREV_CYCLE = _error("KC114", "prev-cycle")
RESERVED_STEP_NAME = _error("KC115", "reserved-step-name")
INVALID_STEP_NAME = _error("KC116", "invalid-step-name")
REWRITTEN_STEP_NAME = _warning("KC117", "rewritten-step-name")
KEYWORD_STEP_NAME = _warning("KC118", "keyword-step-name")
COLLIDING_STEP_NAMES = _error("KC119", "colliding-step-names")
UNTAGGED_CODE = _warning("KC120", "untagged-code")
EMPTY_STEP = _warning("KC121", "empty-step")
CONTRADICTORY_SETTINGS = _error("KC122", "contradictory-settings")
INVALID_SETTING = _error("KC123", "invalid-setting")
INVALID_HANDLER = _error("KC124", "invalid-handler")
UNKNOWN_NOQA = _warning("KC125", "unknown-noqa")
CONFLICTING_SETTINGS = _error("KC126", "conflicting-settings")
EXIT_STEP = _error("KC127", "exit-step")
IGNORED_FAILURE = _error("KC128", "ignored-failure")
SHARED_CLAIM = _warning("KC129", "shared-claim")
METADATA_WITHOUT_EFFECT = _warning("KC130", "metadata-without-effect")
UNKNOWN_METADATA_KEY = _warning("KC131", "unknown-metadata-key")
INVALID_METADATA = _error("KC132", "invalid-metadata")
REWRITTEN_PIPELINE_NAME = _warning("KC133", "rewritten-pipeline-name")
OTHER_PYTHON = _warning("KC134", "other-python")
NO_VARIABLE = _error("KC135", "no-variable")
NO_TAKER = _warning("KC136", "no-taker")

# KC2xx: names and dataflow
UNDEFINED_NAME = _error("KC201", "undefined-name")
MISSING_PREV = _error("KC202", "missing-prev")
READ_TOO_EARLY = _error("KC203", "read-too-early")
TWO_WRITERS = _error("KC204", "two-writers")
DELETED_NAME = _error("KC205", "deleted-name")
SHARED_CELL_READS_STEP = _error("KC206", "shared-cell-reads-step")
SIBLING_VERSION = _warning("KC207", "sibling-version")
STATE_IN_DEFINITION = _error("KC208", "state-in-definition")
CHANGED_IN_DEFINITION = _error("KC209", "changed-in-definition")
STAR_IMPORT = _error("KC210", "star-import")
AMBIGUOUS_DEFINITION = _error("KC211", "ambiguous-definition")
SCATTERED_STEP = _error("KC212", "scattered-step")
REDEFINED_SHARED = _error("KC213", "redefined-shared")
RANDOM_BRANCHES = _warning("KC214", "random-branches")
PROCESS_STATE = _warning("KC215", "process-state")
FILE_CHANNEL = _warning("KC216", "file-channel")
DYNAMIC_NAMES = _warning("KC217", "dynamic-names")
SHARED_OBJECT = _warning("KC218", "shared-object")
REPEATED_EFFECT = _error("KC219", "repeated-effect")

# KC3xx: code in cells, IPython, packages
SYNTAX_ERROR = _error("KC301", "syntax-error")
UNKNOWN_MAGIC = _error("KC302", "unknown-magic")
UNSUPPORTED_MAGIC = _error("KC303", "unsupported-magic")
IGNORED_MAGIC = _warning("KC304", "ignored-magic")
KEYBOARD_INPUT = _error("KC305", "keyboard-input")
TIMEIT_BINDS = _error("KC306", "timeit-binds")
MISPLACED_CELL_MAGIC = _error("KC307", "misplaced-cell-magic")
CONDA_INSTALL = _warning("KC308", "conda-install")
PIP_OPTION = _warning("KC309", "pip-option")
INVALID_REQUIREMENT = _error("KC310", "invalid-requirement")
STEP_ONLY = _warning("KC311", "step-only")
RELATIVE_IMPORT = _error("KC320", "relative-import")
MISSING_REQUIREMENTS = _warning("KC321", "missing-requirements-file")
BAD_REQUIREMENTS = _error("KC322", "bad-requirements-file")
BROKEN_LOCAL_MODULE = _error("KC323", "broken-local-module")
UNCARRIED_MODULE = _error("KC324", "uncarried-local-module")
UNCARRIED_DATA = _warning("KC325", "uncarried-package-data")
OPTIONAL_IMPORT = _warning("KC326", "optional-import")
SHADOWING_MODULE = _warning("KC327", "shadowing-module")
UNKNOWN_MODULE = _warning("KC328", "unknown-module")
OTHER_DISTRIBUTION = _warning("KC330", "other-distribution")
CONFLICTING_REQUIREMENTS = _warning("KC331", "conflicting-requirements")

# KC4xx: parameters and metrics
NOT_AN_ASSIGNMENT = _error("KC401", "not-an-assignment")
NOT_A_LITERAL = _error("KC402", "not-a-literal")
UNSUPPORTED_DEFAULT = _error("KC403", "unsupported-default")
PARAMETER_REBOUND = _error("KC404", "parameter-rebound")
NOT_A_METRIC = _error("KC411", "not-a-metric")
METRIC_OF_TWO_STEPS = _warning("KC412", "metric-of-two-steps")

# KC5xx: KFP's limits
STEP_TOO_LARGE = _error("KC501", "step-too-large")
WORKFLOW_LARGE = _warning("KC502", "workflow-large")
WORKFLOW_TOO_LARGE = _error("KC503", "workflow-too-large")
PARAMETER_NAME = _error("KC504", "parameter-name")
RESOURCE_NOT_CARRIED = _error("KC506", "resource-not-carried")
TEXT_NOT_CARRIED = _error("KC507", "text-not-carried")

# KC6xx: practice; not asked by `compile`
PICKLED_VARIABLE = _off("KC601", "pickled-variable")
SECRET_IN_CODE = _warning("KC602", "secret-in-code")
UNPINNED_PACKAGE = _off("KC603", "unpinned-package")
MACHINE_PATH = _warning("KC604", "machine-path")
LOCAL_FILE = _warning("KC605", "local-file")
IDLE_STEP = _warning("KC606", "idle-step")
UNUSED_IMPORT = _warning("KC607", "unused-heavy-import")
UNSEEDED_SPLIT = _warning("KC608", "unseeded-split")
LEAKING_FIT = _warning("KC609", "leaking-fit")
OUT_OF_ORDER = _off("KC610", "out-of-order")
STRIPPED_TAGS = _warning("KC611", "stripped-tags")
OLD_TAG = _off("KC612", "old-tag")

RULES: dict[str, Rule] = {
    rule.code: rule for rule in sorted((v for v in vars().values() if isinstance(v, Rule)), key=lambda r: r.code)
}
