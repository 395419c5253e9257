"""Where the value of a variable lies as of a moment, and by which steps its object came there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kalecompiler.facts import Grade
from kalecompiler.model import Artifact, Pipeline
from kalecompiler.plan import Analysis

PARAMETER = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A variable as of a moment: the steps that may hold it, the nearest first; `doubts` may have changed it since.

    PARAMETER stands for a step where the value is that of a parameter of the run. An `optional` one is of a step that
    stands above, but need not have run. `way` are the steps that handed its very object on, the last first; `changes`
    says whether a step that is not above changes it in place.
    """

    variable: str
    producers: tuple[str, ...]
    doubts: tuple[str, ...] = ()
    early: bool | None = False
    optional: bool = False
    way: tuple[str, ...] = ()
    changes: bool = False


def source(analysis: Analysis, pipeline: Pipeline, above: Sequence[str], item: Artifact) -> Source:
    """Where a variable can be found: with its last maker, else above those that only may have changed it."""
    variable = item.variable
    producers, doubts = [item.producer], []
    at = item.producer
    while at != PARAMETER and (earlier := _untouched(analysis, pipeline, variable, at)) is not None:
        guarded = variable in {guard.variable for guard in pipeline.step(at).guards}
        if not guarded and not (earlier == PARAMETER and _is_fixed(pipeline, variable)):
            doubts.append(at)
        producers.append(earlier)
        at = earlier
    changes = any(variable in known.summary.changes for known in analysis.flow.steps if known.name not in above)
    way = tuple(_way(analysis, pipeline, variable, item.producer))
    return Source(variable, tuple(producers), tuple(doubts), item.early, way=way, changes=changes)


def _way(analysis: Analysis, pipeline: Pipeline, variable: str, producer: str) -> Iterator[str]:
    """The steps through which a variable's object came, up to the one that bound it: `x = x or []` binds no other."""
    at = producer
    while at != PARAMETER:
        yield at
        binding = next(c.summary.binds.get(variable) for c in analysis.flow.steps if c.name == at)
        is_other = binding is not None and binding.given_anew(variable)
        before = (item.producer for item in pipeline.step(at).inputs if item.variable == variable)
        at = PARAMETER if is_other else next(before, PARAMETER)


def _untouched(analysis: Analysis, pipeline: Pipeline, variable: str, producer: str) -> str | None:
    """The step from which a step that at most may change a variable has it; None where it makes it, or surely does."""
    known = next(c for c in analysis.flow.steps if c.name == producer)
    change = known.summary.changes.get(variable)
    if variable in known.summary.binds or change is None or change.grade is not Grade.POSSIBLE:
        return None
    step = pipeline.step(producer)
    if variable in step.parameters:
        return PARAMETER
    return next((i.producer for i in step.inputs if i.variable == variable), None)


def _is_fixed(pipeline: Pipeline, parameter: str) -> bool:
    """Whether a parameter's value is of a type that nothing can change."""
    return all(p.type in ("int", "float", "str", "bool") for p in pipeline.parameters if p.name == parameter)
