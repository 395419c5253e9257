"""Waiting for a run: poll it, tell of every change, end when it has ended."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from kalecompiler.submit import runs
from kalecompiler.submit.connection import Connection
from kalecompiler.submit.faults import InterruptedWaitError, ServerError, TimedOutError
from kalecompiler.submit.views import RunView

FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 0.3, 10.0, 1.4
PATIENCE = 300.0
"""How many seconds a server may be away while a run is followed."""


def follow(
    connection: Connection,
    run_id: str,
    order: tuple[str, ...],
    take: Callable[[RunView], None],
    timeout: float | None = None,
) -> RunView:
    """The run at its end; `take` is given it at each look.

    A server that is away for some minutes does not end the waiting; one that says how long to wait is not asked before.

    Raises:
        TimedOutError: it did not end within `timeout` seconds; it goes on.
        InterruptedWaitError: the user interrupted; the run goes on.
        ServerError: the server refused, or stayed away.
    """
    try:
        return _poll(connection, run_id, order, take, timeout)
    except KeyboardInterrupt:
        raise InterruptedWaitError(f"interrupted: {_goes_on(connection, run_id)}") from None


def _poll(
    connection: Connection, run_id: str, order: tuple[str, ...], take: Callable[[RunView], None], timeout: float | None
) -> RunView:
    begun = seen = time.monotonic()
    last, pause = None, FIRST_PAUSE
    while True:
        try:
            run = runs.look(connection, run_id, order)
            seen = time.monotonic()
            take(run)
            if run.over:
                return run
            pause = FIRST_PAUSE if run != last else min(pause * GROWTH, LONGEST_PAUSE)
            last = run
        except ServerError as error:
            if not error.passing or time.monotonic() - seen > PATIENCE:
                raise
            pause = max(pause, min(error.wait or 0.0, PATIENCE))
        left = math.inf if timeout is None else begun + timeout - time.monotonic()
        if left <= 0:
            raise TimedOutError(f"the run did not end within {timeout:g} s: {_goes_on(connection, run_id)}")
        time.sleep(min(pause, left))


def _goes_on(connection: Connection, run_id: str) -> str:
    called = connection.endpoint.called
    return (
        f"it goes on; follow it with `kalec show {run_id} {called} --wait`, stop it with `kalec stop {run_id} {called}`"
    )
