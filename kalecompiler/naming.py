"""Problems with names, put into words: what is wrong, where in the notebook, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kalecompiler import diagnostics as rules
from kalecompiler.diagnostics import Diagnostic, Rule
from kalecompiler.model import Location
from kalecompiler.suggest import did_you_mean
from kalecompiler.versions import Problem
from kalecompiler.wording import listed

Text = tuple[Rule, str, str | None]


def describe(problem: Problem, location: Location, known: Iterable[str]) -> Diagnostic:
    """A problem of the dataflow as a finding; `known` are the names that would have been right."""
    rule, message, hint = _TEXTS[problem.kind](problem, known)
    return Diagnostic(rule, message, location, hint)


def _reader(problem: Problem) -> str:
    via = f", in `{problem.owner}`," if problem.owner else ""
    return f"step `{problem.unit}`{via} reads `{problem.name}`"


def _undefined(problem: Problem, known: Iterable[str]) -> Text:
    from kalecompiler.ipython import automagic

    hint = automagic(problem.name) or did_you_mean(problem.name, known) or f"bind `{problem.name}` in a step above"
    return rules.UNDEFINED_NAME, f"{_reader(problem)}, which nothing in the notebook defines", hint


def _unordered(problem: Problem, known: Iterable[str]) -> Text:
    maker = problem.others[0]
    message = f"{_reader(problem)}, but step `{maker}`, which makes it, does not run before it"
    return rules.MISSING_PREV, message, f"add the tag `prev:{maker}` to step `{problem.unit}`"


def _too_early(problem: Problem, known: Iterable[str]) -> Text:
    maker = problem.others[0]
    message = f"{_reader(problem)} before it is bound: step `{maker}` binds it further down"
    return rules.READ_TOO_EARLY, message, f"move the cells of step `{maker}` above this one"


def _unbound(problem: Problem, known: Iterable[str]) -> Text:
    message = f"{_reader(problem)} before the step itself binds it"
    return rules.READ_TOO_EARLY, message, f"bind `{problem.name}` first"


def _conflict(problem: Problem, known: Iterable[str]) -> Text:
    one = problem.others[0]
    steps = listed(problem.others, " and ")
    message = f"{_reader(problem)}, which steps {steps} both bind or change, neither after the other"
    hint = f"give the variable a name of its own in each step, or put one step after the other with `prev:{one}`"
    return rules.TWO_WRITERS, message, hint


def _deleted(problem: Problem, known: Iterable[str]) -> Text:
    message = f"{_reader(problem)}, which step `{problem.others[0]}` has deleted"
    return rules.DELETED_NAME, message, f"remove the `del`, or bind `{problem.name}` again"


def _sibling(problem: Problem, known: Iterable[str]) -> Text:
    other = problem.others[0]
    message = f"{_reader(problem)} as it was before step `{other}` changed it; in the notebook `{other}` comes first"
    hint = f"add the tag `prev:{other}` if this step is meant to see the change"
    return rules.SIBLING_VERSION, message, hint


def _state(problem: Problem, known: Iterable[str]) -> Text:
    others = listed(problem.others)
    message = f"step `{problem.unit}` changes state kept in `{problem.name}`, which would be lost in step {others}"
    return rules.STATE_IN_DEFINITION, message, "keep the state in a variable: an instance, a dict or a list"


def _kept(problem: Problem, known: Iterable[str]) -> Text:
    others = listed(problem.others)
    message = f"`{problem.name}` keeps state that it changes itself, and steps {others} and `{problem.unit}` use it"
    return rules.STATE_IN_DEFINITION, message, "keep the state in a variable: an instance, a dict or a list"


def _moved(problem: Problem, known: Iterable[str]) -> Text:
    kept = f"`{problem.owner}` keeps something of `{problem.name}` where it is defined"
    message = f"{kept}, and step `{problem.unit}` changes it later"
    hint = f"change a copy, or keep a copy in `{problem.owner}`: step `{problem.others[0]}` runs its definition again"
    return rules.CHANGED_IN_DEFINITION, message, hint


def _ambiguous(problem: Problem, known: Iterable[str]) -> Text:
    user = problem.others[0]
    message = f"step `{user}` needs two different definitions of `{problem.name}`, one of them of step `{problem.unit}`"
    return rules.AMBIGUOUS_DEFINITION, message, "give one of the two another name"


def _repeats(problem: Problem, known: Iterable[str]) -> Text:
    user = problem.others[0]
    message = f"`{problem.name}` calls `{problem.owner}` where it is defined, and step `{user}` would call it again"
    return rules.REPEATED_EFFECT, message, "call it on a line of its own, and use its result there"


def _random(problem: Problem, known: Iterable[str]) -> Text:
    other = problem.others[0]
    message = f"step `{problem.unit}` draws random numbers from the state above step `{other}`, which draws before it"
    return rules.RANDOM_BRANCHES, message, f"seed a generator of its own in the step, or add the tag `prev:{other}`"


def _bond(problem: Problem, known: Iterable[str]) -> Text:
    other, changer = problem.others
    tag = f"together:{problem.name},{other}"
    message = (
        f"`{problem.name}` and `{other}` share an object in step `{problem.unit}`; "
        f"step `{changer}` changes one of the two, and its other name will not see that"
    )
    return (
        rules.SHARED_OBJECT,
        message,
        f"tag step `{problem.unit}` with `{tag}`, use one name for it, or copy it where the two are meant to differ",
    )


def _no_variable(problem: Problem, known: Iterable[str]) -> Text:
    message = f"`{problem.owner}` names `{problem.name}`, which is no variable of step `{problem.unit}`: "
    hint = did_you_mean(problem.name, [name for name in known if name != problem.name])
    hint = hint or "name variables that the step binds, or gets from a step above"
    return rules.NO_VARIABLE, message + problem.others[0], hint


def _no_taker(problem: Problem, known: Iterable[str]) -> Text:
    message = f"`{problem.owner}` has no effect: no step after `{problem.unit}` takes {listed(problem.others, ' or ')}"
    return rules.NO_TAKER, message, "remove it"


_TEXTS: dict[str, Callable[[Problem, Iterable[str]], Text]] = {
    "undefined": _undefined,
    "unordered": _unordered,
    "too-early": _too_early,
    "unbound": _unbound,
    "conflict": _conflict,
    "deleted": _deleted,
    "sibling": _sibling,
    "state": _state,
    "kept": _kept,
    "moved": _moved,
    "ambiguous": _ambiguous,
    "random": _random,
    "repeats": _repeats,
    "bond": _bond,
    "no-variable": _no_variable,
    "no-taker": _no_taker,
}
