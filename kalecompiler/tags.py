"""Phase 2, annotate: cells and their tags -> one `Annotation` a code cell, and the effective settings of each step.

A cell without a tag of ours joins the tagged cell above it, as in Kale; `placement` decides which. What a single tag
says is `taglanguage`'s matter; whether the steps' names and `prev:` tags fit together is `stepgraph`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from kalecompiler import compilehooks, placement, stepgraph, taglanguage
from kalecompiler import diagnostics as rules
from kalecompiler.diagnostics import Diagnostic, Rule, has_errors
from kalecompiler.model import (
    Annotation,
    Cell,
    CellKind,
    Location,
    Notebook,
    Parameter,
    Previous,
    Role,
    Setting,
    StepSettings,
)
from kalecompiler.settings import Settings
from kalecompiler.settingvalues import GRAMMAR, bytes_of, identity
from kalecompiler.stepgraph import task_name
from kalecompiler.steprules import FINAL_STATUS
from kalecompiler.suggest import did_you_mean
from kalecompiler.taglanguage import Tag
from kalecompiler.wording import listed

__all__ = ["annotate", "step_settings", "task_name"]

# Settings that have a field of their own, or are none of the package.
_FIELDS = frozenset(
    "image cache limit request label annotation max-artifact-size preview report metrics changes".split()
)
_OTHERS = frozenset(kind for kind, row in GRAMMAR.items() if kind not in _FIELDS)

# Several tags of these kinds on one step add up, where the values of other kinds contradict each other.
ADDING = tuple(kind for kind, row in GRAMMAR.items() if row.by_value)


@dataclass(frozen=True, slots=True)
class Tagged:
    """A code cell with what its own tags say; `role` is None for one that joins the cell above it."""

    cell: Cell
    role: Role | None
    step: str | None
    previous: tuple[Previous, ...]
    settings: tuple[Setting, ...]


def annotate(notebook: Notebook, settings: Settings) -> tuple[tuple[Annotation, ...], list[Diagnostic]]:
    """Say of each code cell what it is to the pipeline; findings for every tag that is wrong, all in one go."""
    findings: list[Diagnostic] = []
    tagged = []
    for cell in notebook.cells:
        tags = _tags(notebook, cell, findings)
        if cell.kind is CellKind.CODE:
            tagged.append(_read_cell(notebook, cell, tags, findings))
        elif any(tag.ours and tag.role is not Role.SKIP for tag in tags):
            findings.append(_on_text_cell(notebook, cell, tags))
    annotations = _place(notebook, tagged, findings)
    findings += stepgraph.check(notebook, annotations)
    findings += _contradictions(annotations)
    findings += _empty_steps(notebook, annotations)
    findings += _settings_of_no_step(notebook, annotations, settings)
    if any(a.role is Role.STEP for a in annotations):
        return annotations, findings
    # without any step, that a cell would run in every step says nothing
    findings = [finding for finding in findings if finding.rule is not rules.UNTAGGED_CODE]
    return annotations, findings if has_errors(findings) else [*findings, _no_steps(notebook)]


def step_settings(annotations: Iterable[Annotation], settings: Settings) -> Mapping[str, StepSettings]:
    """The effective settings by step: its tags over `[tool.kalecompiler.steps.NAME]` over the pipeline's defaults.

    What hooks add weighs least. Raises UsageError for a hook that fails.
    """
    own: dict[str, list[Setting]] = {}
    for annotation in annotations:
        if annotation.step is not None:
            own.setdefault(annotation.step, []).extend(annotation.settings)
    if settings.exit in own and settings.exit_origin is not None:
        own[settings.exit].append(Setting("exit", "", "", settings.exit_origin))
    found = {}
    for name, tags in own.items():
        written = [*settings.defaults, *settings.steps.get(name, ()), *tags]
        found[name] = _effective(written, settings.image)
        task = compilehooks.Task(settings.pipeline_name, name, found[name])
        more = [s for s in compilehooks.added(task) if s.kind != "image" or "image" not in settings.origins]
        if more:
            found[name] = _effective([*more, *written], settings.image)
    return found


def with_final_status(
    annotations: Iterable[Annotation], settings: Settings, parameters: tuple[Parameter, ...]
) -> tuple[Parameter, ...]:
    """The parameters, and where there is an exit step that in which it finds how the run ended."""
    exits = {a.step for a in annotations if a.step is not None and _exits(a, settings)}
    if not exits or any(parameter.name == FINAL_STATUS for parameter in parameters):
        return parameters
    return (*parameters, Parameter(FINAL_STATUS, "dict", {}))


def _exits(annotation: Annotation, settings: Settings) -> bool:
    return annotation.step == settings.exit or any(setting.kind == "exit" for setting in annotation.settings)


def _effective(settings: Iterable[Setting], image: str) -> StepSettings:
    """Settings in rising order of weight, made one."""
    written = {identity(s.kind, s.key, s.value): s for s in settings}
    last = {(s.kind, s.key): s.value for s in written.values()}

    def pairs(kind: str) -> tuple[tuple[str, str], ...]:
        return tuple(sorted((key, value) for (k, key), value in last.items() if k == kind))

    cache, size = last.get(("cache", "")), last.get(("max-artifact-size", ""))
    return StepSettings(
        image=last.get(("image", ""), image),
        cache=None if cache is None else cache == "enabled",
        limits=pairs("limit"),
        requests=pairs("request"),
        labels=pairs("label"),
        annotations=pairs("annotation"),
        max_artifact_size=None if size is None else bytes_of(size),
        preview=int(last.get(("preview", ""), 0)),
        report=last.get(("report", "")) != "disabled",
        others=tuple(sorted((s.kind, s.key, s.value) for s in written.values() if s.kind in _OTHERS)),
        written=tuple(sorted(written.values(), key=lambda s: (s.kind, s.key, s.value))),
    )


def _tags(notebook: Notebook, cell: Cell, findings: list[Diagnostic]) -> list[Tag]:
    """The tags of a cell; those that are no texts are findings."""
    tags = cell.metadata.get("tags") or []
    wrong = not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags)
    if wrong and cell.kind is CellKind.CODE:
        hint = 'write them as in `"tags": ["step:train", "prev:load"]`'
        message = f"the tags of cell {cell.number} are not a list of texts"
        findings.append(Diagnostic(rules.INVALID_TAGS, message, _at_tags(notebook, cell), hint))
    return taglanguage.tags_of(cell.metadata)


def _read_cell(notebook: Notebook, cell: Cell, tags: list[Tag], findings: list[Diagnostic]) -> Tagged:
    """What a code cell's own tags make of it."""
    if any(tag.role is Role.SKIP for tag in tags):
        return Tagged(cell, Role.SKIP, None, (), ())
    findings += [
        Diagnostic(tag.finding.rule, tag.finding.message, _at_tag(notebook, cell, tag), tag.finding.hint)
        for tag in tags
        if tag.finding
    ]
    roles = list(dict.fromkeys(tag.role for tag in tags if tag.role))
    steps = list(dict.fromkeys(tag.step for tag in tags if tag.step))
    findings += _contradictory_places(notebook, cell, [r.value for r in roles], steps)
    origin = {tag: _at_tag(notebook, cell, tag) for tag in tags}
    previous = tuple(Previous(name, origin[tag]) for tag in tags for name in tag.previous)
    settings = tuple(Setting(*tag.setting, origin[tag]) for tag in tags if tag.setting)
    if steps:
        return Tagged(cell, Role.STEP, steps[0], previous, settings)
    return Tagged(cell, roles[0] if roles else None, None, previous, settings)


def _contradictory_places(notebook: Notebook, cell: Cell, roles: list[str], steps: list[str]) -> list[Diagnostic]:
    if len(steps) > 1:
        message = f"cell {cell.number} is in {len(steps)} steps: {listed(steps)}"
        hint = "a cell runs in one step; split it, or move what both need to a cell tagged `functions`"
        return [Diagnostic(rules.SEVERAL_STEPS, message, _at_tags(notebook, cell), hint)]
    both = roles + [f"step:{name}" for name in steps]
    if len(both) > 1:
        message = f"cell {cell.number} is tagged both {listed(both, ' and ')}"
        return [Diagnostic(rules.CONTRADICTORY_ROLES, message, _at_tags(notebook, cell), "keep one of the tags")]
    return []


def _place(notebook: Notebook, tagged: Iterable[Tagged], findings: list[Diagnostic]) -> tuple[Annotation, ...]:
    """Put each cell where its tags, or the cells above it, say."""
    above = placement.START
    annotations = []
    for cell in tagged:
        explicit = None if cell.role is None else placement.Place(cell.role, cell.step)
        place, above = placement.place(cell.cell.source, explicit, above)
        annotation = Annotation(cell.cell, place.role, place.step, cell.previous, cell.settings)
        findings += _outside_step(annotation, cell.role is not None)
        # one finding is enough for a cell that stands where it does because its tags are wrong
        if place.unasked and not any(finding.location.cell == cell.cell.number for finding in findings):
            findings.append(_untagged(notebook, cell.cell))
        annotations.append(annotation if place.role is Role.STEP else replace(annotation, previous=(), settings=()))
    return tuple(annotations)


def _untagged(notebook: Notebook, cell: Cell) -> Diagnostic:
    message = f"cell {cell.number} stands above the first step without a tag, so it runs in every step that needs it"
    hint = "tag it `imports`, `functions`, `step:NAME` or `skip`"
    return Diagnostic(rules.UNTAGGED_CODE, message, notebook.at(cell), hint)


def _outside_step(annotation: Annotation, tagged: bool) -> list[Diagnostic]:
    """Findings for tags of a step on a cell that is in none."""
    if annotation.role is Role.STEP:
        return []
    what = f"a cell tagged `{annotation.role.value}`" if tagged else "a cell that is in no step"
    rule: Rule = rules.TAG_OUTSIDE_STEP if tagged else rules.PREV_WITHOUT_STEP
    hint = "move the tag to a cell of the step that it is meant for"
    wrong = [(rule, origin) for origin in dict.fromkeys(p.origin for p in annotation.previous)]
    wrong += [(rules.TAG_OUTSIDE_STEP, s.origin) for s in annotation.settings]
    return [Diagnostic(rule, f"the tag `{origin.tag}` has no effect on {what}", origin, hint) for rule, origin in wrong]


def _on_text_cell(notebook: Notebook, cell: Cell, tags: list[Tag]) -> Diagnostic:
    names = listed([tag.text for tag in tags if tag.ours])
    message = f"{names} on cell {cell.number} has no effect: it is a {cell.kind.value} cell"
    hint = "tag the code cell below it instead"
    return Diagnostic(rules.TAG_ON_TEXT_CELL, message, _at_tags(notebook, cell), hint)


def _contradictions(annotations: Iterable[Annotation]) -> list[Diagnostic]:
    """One finding for each setting that a step's tags give two values."""
    first: dict[tuple[str, tuple[str, str]], Setting] = {}
    found = []
    for annotation in annotations:
        for setting in annotation.settings:
            if annotation.step is None:
                continue
            same = identity(setting.kind, setting.key, setting.value)
            other = first.setdefault((annotation.step, same), setting)
            if (other.key, other.value) != (setting.key, setting.value):
                found.append(_contradiction(annotation.step, other, setting))
    return found


def _contradiction(step: str, one: Setting, other: Setting) -> Diagnostic:
    message = (
        f"step `{step}` has both `{one.origin.tag}` (cell {one.origin.cell}) "
        f"and `{other.origin.tag}` (cell {other.origin.cell})"
    )
    return Diagnostic(rules.CONTRADICTORY_SETTINGS, message, other.origin, "keep one of the tags")


def _empty_steps(notebook: Notebook, annotations: Iterable[Annotation]) -> list[Diagnostic]:
    cells: dict[str, list[Cell]] = {}
    for annotation in annotations:
        if annotation.step is not None:
            cells.setdefault(annotation.step, []).append(annotation.cell)
    return [
        Diagnostic(
            rules.EMPTY_STEP,
            f"step `{name}` has no code",
            _at_tags(notebook, own[0]),
            "tag its cells, or remove the step",
        )
        for name, own in cells.items()
        if all(placement.is_empty(cell.source) for cell in own)
    ]


def _settings_of_no_step(notebook: Notebook, annotations: Iterable[Annotation], settings: Settings) -> list[Diagnostic]:
    """Findings for `steps.NAME` of no step; a pyproject.toml may mean another notebook, unless the name is alike."""
    steps = {a.step for a in annotations if a.step is not None}
    found = []
    for name, own in settings.steps.items():
        hint = did_you_mean(name, steps)
        here = bool(own) and own[0].origin.path == str(notebook.path)
        if name not in steps and own and (here or hint):
            message = f"{'metadata `kalecompiler`: ' if here else ''}there is no step `{name}` for `steps.{name}`"
            where = replace(own[0].origin, key=("metadata", "kalecompiler", "steps", name)) if here else own[0].origin
            found.append(Diagnostic(rules.UNKNOWN_METADATA_KEY, message, where, hint))
    if settings.exit and settings.exit not in steps and settings.exit_origin is not None:
        hint, here = did_you_mean(settings.exit, steps), settings.exit_origin.path == str(notebook.path)
        if hint or here:
            message = f"there is no step `{settings.exit}` to be the exit step"
            found.append(Diagnostic(rules.EXIT_STEP, message, settings.exit_origin, hint))
    return found


def _no_steps(notebook: Notebook) -> Diagnostic:
    message = "no cell is tagged as a step" if notebook.cells else "the notebook has no cells"
    hint = f"tag cells with `step:NAME`, or let `kalec init {notebook.path}` propose steps from the headings"
    return Diagnostic(rules.NO_STEPS, message, Location(str(notebook.path)), hint)


def _at_tags(notebook: Notebook, cell: Cell) -> Location:
    return replace(notebook.at(cell), key=("metadata", "tags"))


def _at_tag(notebook: Notebook, cell: Cell, tag: Tag) -> Location:
    return replace(notebook.at(cell), tag=tag.text)
