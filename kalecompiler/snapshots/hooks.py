"""Others' code around steps: entry points `kalecompiler.snapshot_hooks`, each an object with some of these methods.

    compile(task)            a step is compiled: may return a table of settings for it (see `compilehooks`)
    before(ctx)              a step is about to run; what it returns (JSON values) is kept in the manifest
    after(ctx)               a step succeeded
    failed(ctx, exc)         a step failed; `exc` is the message
    restore(ctx, data)       a state is being restored; `data` is what the hook returned
`ctx` is a `Manifest`. A hook that raises, or is not done within its `timeout` seconds (10), is a warning and an entry
of the manifest; if it says `required = True`, the run fails with it, once its steps are done.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from kalecompiler.diagnostics import KalecError
from kalecompiler.snapshots.manifest import AFTER, BEFORE, Manifest

GROUP = "kalecompiler.snapshot_hooks"
SECONDS = 10.0


class HookProblem(KalecError):
    """A required hook failed."""


@cache
def installed() -> dict[str, Any]:
    """The hooks by name; one that cannot be loaded is there as what went wrong."""
    found: dict[str, Any] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            hook = point.load()
            found[point.name] = hook() if isinstance(hook, type) else hook
        except (Exception, SystemExit) as error:  # noqa: BLE001 - others' code
            found[point.name] = error
    return found


def call(manifest: Manifest, warn: Callable[[str], None]) -> dict[str, Any]:
    """Call the hooks for the moment of a manifest; what each returned, or the error. Raises HookProblem."""
    results: dict[str, Any] = {}
    for name, hook in installed().items():
        method = getattr(hook, manifest.when, None)
        if method is None and not isinstance(hook, BaseException):
            continue
        arguments = (manifest,) if manifest.when in (BEFORE, AFTER) else (manifest, manifest.error)
        result = run(hook, method, *arguments)
        if "error" in result:
            warn(f"the hook {name} failed: {result['error']}")
            if getattr(hook, "required", False):
                raise HookProblem(f"the hook {name}, which is required, failed: {result['error']}")
        if result:
            results[name] = result
    return results


def restore(manifest: Manifest, warn: Callable[[str], None]) -> None:
    """Tell the hooks that a manifest's state is being restored. Raises HookProblem."""
    for name, hook in installed().items():
        method = getattr(hook, "restore", None)
        if method is None:
            continue
        kept = manifest.hooks.get(name, {})
        result = run(hook, method, manifest, kept.get("result") if isinstance(kept, Mapping) else None)
        if "error" in result:
            warn(f"the hook {name} failed: {result['error']}")
            if getattr(hook, "required", False):
                raise HookProblem(f"the hook {name}, which is required, failed: {result['error']}")


def run(hook: Any, method: Callable[..., Any] | None, *arguments: Any) -> dict[str, Any]:
    """Call a method of a hook, for as long as it may take: {"result": JSON values} or {"error": why}, or {}."""
    if method is None or isinstance(hook, BaseException):
        return {"error": f"it cannot be loaded: {hook}"}
    found: dict[str, Any] = {}

    def work() -> None:
        try:
            found["result"] = json.loads(json.dumps(method(*arguments), allow_nan=False))
        except BaseException as error:  # noqa: BLE001 - others' code, in a thread of its own: nothing else ends by it
            found["error"] = type(error).__name__
            with contextlib.suppress(BaseException):  # its text is others' code too
                found["error"] = f"{type(error).__name__}: {error}"

    limit = getattr(hook, "timeout", SECONDS)
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(limit)
    if thread.is_alive():
        return {"error": f"it took longer than {limit} s"}
    return {} if found.get("result", "") is None else found
