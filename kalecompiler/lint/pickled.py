"""KC601: variables that travel as a pickle, where their library has a format that runs no code."""

from __future__ import annotations

from collections.abc import Iterator

from kalecompiler import library
from kalecompiler.diagnostics import PICKLED_VARIABLE, Diagnostic
from kalecompiler.facts import Status
from kalecompiler.lint.subject import Subject
from kalecompiler.model import Location

#: What a variable may be known to hold, and the format to write it in.
_SAFE = {
    library.PANDAS: ("a table", "Parquet"),
    library.NUMPY: ("data of numpy", "npy"),
    library.ESTIMATOR: ("an estimator", "skops or ONNX"),
}


def find(subject: Subject) -> Iterator[Diagnostic]:
    """A finding for each output of a step that is certain to be of such a type, and that no handler takes."""
    connected = {c.name: c for c in subject.flow.steps}
    for step in subject.draft.steps:
        for output in step.outputs:
            binding = connected[step.name].summary.binds.get(output.variable)
            if binding is None or binding.status is not Status.BOUND or binding.known.type not in _SAFE:
                continue
            if step.handlers or not output.consumers:
                continue  # what a handler takes cannot be told from here
            what, form = _SAFE[binding.known.type]
            message = f"`{output.variable}` is {what}, and goes to step `{output.consumers[0]}` as a pickle"
            hint = f"a handler can write it as {form}, which a reader loads without running code"
            yield Diagnostic(PICKLED_VARIABLE, message, output.origin or Location(str(subject.book.path)), hint)
