"""The one kind of error that the runtime itself raises at a user: its text is the whole message."""

from __future__ import annotations


class StepFailed(Exception):
    """The step cannot go on, and `str()` says why and what to do; no traceback is shown."""
