"""What the runtime itself raises at a user: the text is the whole message, and no traceback is shown with it."""

from __future__ import annotations


class StepFailed(Exception):
    """The step cannot go on; says why and what to do."""


class ValueProblem(ValueError):
    """A value cannot be saved or loaded; names the variable, the reason and the cure."""


class Terminated(BaseException):
    """SIGTERM: the cells' `finally` blocks run, then the step ends."""
