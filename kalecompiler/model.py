"""The nouns of the compiler, all frozen: what one phase hands to the next.

read gives a `Notebook` of `Cell`s; annotate an `Annotation` a cell; connect and plan a `Pipeline` of `Step`s,
joined by `Artifact`s. Nothing here computes anything beyond looking itself up.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a notebook: cells count from 1 over all cells, lines and columns from 1 within the cell.

    `tag` is a tag of the cell that is meant; `key` a path of JSON keys within the cell's object, or within the whole
    document. `file_line` and the three after it are the same place in the .ipynb file, once somebody looked it up.
    """

    path: str
    cell: int | None = None
    cell_id: str | None = None
    line: int | None = None
    column: int | None = None
    end_column: int | None = None
    source: str | None = None
    tag: str | None = None
    key: tuple[str, ...] = ()
    file_line: int | None = None
    file_column: int | None = None
    file_end_line: int | None = None
    file_end_column: int | None = None


class CellKind(enum.Enum):
    CODE = "code"
    MARKDOWN = "markdown"
    RAW = "raw"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell as it stands in the file; `number` counts all cells from 1, `metadata` is untouched.

    `execution_count` is the number that Jupyter shows beside a cell that has run.
    """

    number: int
    kind: CellKind
    source: str
    id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    execution_count: int | None = None


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook as read: `path` as the user gave it, `python` the minor version that its metadata names."""

    path: Path
    cells: tuple[Cell, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    python: str | None = None

    @property
    def name(self) -> str:
        """The file's name, which generated code shows in tracebacks: the folder must not change the bytes."""
        return self.path.name

    def at(self, cell: Cell, line: int | None = None, column: int | None = None, end: int | None = None) -> Location:
        """The location of a cell, or of a line and column (both from 1) in it, with that line's text."""
        lines = cell.source.split("\n")
        text = lines[line - 1] if line is not None and 0 < line <= len(lines) else None
        return Location(str(self.path), cell.number, cell.id, line, column, end, text)


class Role(enum.Enum):
    """What a cell is to the pipeline."""

    IMPORTS = "imports"
    FUNCTIONS = "functions"
    PARAMETERS = "pipeline-parameters"
    METRICS = "pipeline-metrics"
    HANDLER = "handler"
    STEP = "step"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a step as written: `limit:cpu:2` is kind `limit`, key `cpu`, value `2`; `origin` says where."""

    kind: str
    key: str
    value: str
    origin: Location


@dataclass(frozen=True, slots=True)
class Previous:
    """A step that a `prev:` tag names, and where."""

    name: str
    origin: Location


@dataclass(frozen=True, slots=True)
class Annotation:
    """A cell and what its tags, or the tagged cells above it, make of it. `step` is set where the role is STEP."""

    cell: Cell
    role: Role
    step: str | None = None
    previous: tuple[Previous, ...] = ()
    settings: tuple[Setting, ...] = ()


@dataclass(frozen=True, slots=True)
class StepSettings:
    """The effective settings of a step. Pairs are sorted; None means "as KFP does it".

    `max_artifact_size` is in bytes (None: any size); `preview` the rows of a table shown with an artifact; `report`
    whether what its cells display becomes a page. `others` are the settings that have no field here, as (kind, key,
    value); `written` all settings with where they stand.
    """

    image: str | None = None
    cache: bool | None = None
    limits: tuple[tuple[str, str], ...] = ()
    requests: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    max_artifact_size: int | None = None
    preview: int = 0
    report: bool = True
    others: tuple[tuple[str, str, str], ...] = ()
    written: tuple[Setting, ...] = field(default=(), compare=False)

    def of(self, kind: str) -> list[tuple[str, str]]:
        """Keys and values of the settings of a kind that has no field here."""
        return [(key, value) for name, key, value in self.others if name == kind]

    def one(self, kind: str) -> str | None:
        """The value of such a setting without a key."""
        return next((value for _, value in self.of(kind)), None)

    def origin(self, *kinds: str, key: str | None = None) -> Location | None:
        """Where the first setting of these kinds, and of that key if one is given, stands."""
        named = (s for s in self.written if s.kind in kinds and (key is None or key in (s.key, s.value)))
        return next((s.origin for s in named), None)


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """Settings of the whole pipeline that KFP has fields for; times are in seconds, `workspace` as it was written.

    `origin` is where they stand, if they stand anywhere.
    """

    display_name: str = ""
    root: str | None = None
    ttl: int | None = None
    run_timeout: int | None = None
    workspace: str | None = None
    origin: Location | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A pipeline parameter. `type` is one of int, float, str, bool, list, dict; `optional` ones default to None."""

    name: str
    type: str
    default: Any
    optional: bool = False
    origin: Location | None = None


class CodeKind(enum.Enum):
    """Why a piece of code is in a step; pieces run in the order in which the step lists them."""

    IMPORTS = "imports"
    FUNCTIONS = "functions"
    DEFINITION = "definition"
    CELL = "cell"
    METRIC = "metric"
    METRICS = "metrics"


@dataclass(frozen=True, slots=True)
class Code:
    """A piece of Python to execute: a whole cell, or one statement carried from another cell.

    `name` is its file name in tracebacks (`churn.ipynb train[2]`, `churn.ipynb load.clean`), free of notebook-wide
    numbers; `source` is Python (IPython's syntax already translated, line for line); `kept` are statements of ours,
    each with the line of the source before which it runs; `origin` is where it stands in the notebook and never enters
    the package.
    """

    name: str
    kind: CodeKind
    source: str
    cell_id: str | None = None
    origin: Location | None = None
    kept: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Artifact:
    """A variable handed from one step to another.

    `port` is the name of the consumer's input, `source_port` that of the producer's output. An `early` artifact is
    loaded before the carried definitions run, because a default or decorator of theirs reads it; with None it is loaded
    again after them, because they change it.
    """

    variable: str
    producer: str
    port: str
    source_port: str
    early: bool | None = False


@dataclass(frozen=True, slots=True)
class Output:
    """A variable that a step hands on: `schema` is the KFP type title; `may_be_absent`: the step may not bind it."""

    variable: str
    port: str
    schema: str = "system.Artifact"
    may_be_absent: bool = False
    consumers: tuple[str, ...] = ()
    origin: Location | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """A scalar of the pipeline's results: shown under `name`, read from `variable` when the step's cells are done.

    `better` says which of two is the better one: max, min, or nothing.
    """

    name: str
    variable: str
    better: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A variable that is shown as `kind` (confusion, roc, report, markdown, html) when the step's cells are done.

    `schema` is the title of the KFP type of the output `port`. `labels` is the variable with the labels of a matrix.
    """

    variable: str
    kind: str
    port: str
    schema: str
    labels: str = ""


@dataclass(frozen=True, slots=True)
class Guard:
    """A variable that a step may change in place but must not, as other steps take the version from above it."""

    variable: str
    origin: Location | None = None


@dataclass(frozen=True, slots=True)
class Package:
    """A requirement of a step: pip installs `requirement` at the start where `module` is not importable.

    `module` is empty for a requirement that no import names (it is then looked up by distribution name).
    """

    requirement: str
    module: str = ""


@dataclass(frozen=True, slots=True)
class Handler:
    """Saves and loads one kind of object in its own way.

    One from a package has `types` (dotted names), `modules` (whose import brings such objects) and its `source`. One of
    the notebook's own has `type`, an expression, and the names of two functions, `dump` and `load`.
    """

    name: str
    types: tuple[str, ...] = ()
    modules: frozenset[str] = frozenset()
    source: str = ""
    type: str = ""
    dump: str = ""
    load: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One step, complete: everything that its component needs, and nothing that it does not.

    `name` is as tagged, `task` the name KFP gives its task (`[a-z][a-z0-9-]*`). `after` lists direct predecessors by
    name, sorted. `apart` are outputs of which a later step changes one: they should share nothing. `definitions` are
    the names whose source is carried. `report_port` is empty for a step without a report. `files` are modules that lie
    beside the notebook: (path relative to it, text).
    """

    name: str
    task: str
    after: tuple[str, ...] = ()
    inputs: tuple[Artifact, ...] = ()
    outputs: tuple[Output, ...] = ()
    parameters: tuple[str, ...] = ()
    definitions: tuple[str, ...] = ()
    code: tuple[Code, ...] = ()
    metrics: tuple[Metric, ...] = ()
    metrics_port: str = "metrics"
    charts: tuple[Chart, ...] = ()
    report_port: str = ""
    snapshot_port: str = "snapshot"
    guards: tuple[Guard, ...] = ()
    apart: tuple[str, ...] = ()
    packages: tuple[Package, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    handlers: tuple[Handler, ...] = ()
    cells: tuple[int, ...] = ()
    settings: StepSettings = StepSettings()
    origin: Location | None = None

    @property
    def snapshot(self) -> str:
        """What is kept of its state: passed, all or off."""
        return self.settings.one("snapshot") or "passed"

    @property
    def exits(self) -> bool:
        """Whether it is the exit step, which runs at the end whatever happened."""
        return bool(self.settings.of("exit"))

    @property
    def shown(self) -> dict[str, str]:
        """The outputs that are for people, by port: the title of each one's KFP type."""
        scalars = {self.metrics_port: "system.Metrics"} if self.metrics else {}
        charts = {chart.port: chart.schema for chart in self.charts}
        return scalars | charts | ({self.report_port: "system.HTML"} if self.report_port else {})


@dataclass(frozen=True, slots=True)
class TrackerUse:
    """A tracker that steps tell on KFP: its options as JSON; `made_by` is `module:class` of one that is shipped."""

    name: str
    options: Mapping[str, Any]
    made_by: str = ""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A notebook as a pipeline; steps stand in notebook order, which is a topological order unless `prev:` says else.

    `name` is a valid KFP pipeline name. `index_url` and `trusted_hosts` are for pip at the start of a step.
    """

    name: str
    notebook: str
    steps: tuple[Step, ...]
    parameters: tuple[Parameter, ...] = ()
    description: str = ""
    index_url: str | None = None
    trusted_hosts: tuple[str, ...] = ()
    whole: PipelineSettings = PipelineSettings()
    trackers: tuple[TrackerUse, ...] = ()

    def step(self, name: str) -> Step:
        """The step of that name; KeyError if there is none."""
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)
