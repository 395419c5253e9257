"""Loads a value: unpickles, in a file's own order, what `reading` has verified."""

from __future__ import annotations

import gc
import pickle
import sys

from . import bundle, failure, reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

SAME = "install the same version in both steps"


def load(
    path: str, digest: str | None, wanted: Sequence[str], producer: str | None, read: Any = reading.read
) -> dict[str, Any]:
    """The first variable of `wanted`, whose file this is, and those others of them that were saved beside it.

    What `saving.save` wrote, or ABSENT; nothing of it is executed unless it has the digest. Without a digest only the
    form is checked. Raises ValueProblem, which names the variable, the file, its producer and the cure, for a file that
    is damaged, changed or too new, and for a value that cannot be rebuilt here.
    """
    variable, maker = wanted[0], f"step {producer}" if producer else "the step that made it"
    try:
        header, stream, buffers = read(path, digest)
    except (OSError, reading.Unreadable) as error:
        cure = f"run {maker} again"
        if "is newer than" in str(error):
            cure = "use the kalecompiler that wrote it, or a later one"
        raise failure.ValueProblem(f"cannot read {variable!r} from {path}: {error}\n  help: {cure}") from None
    if not stream:
        return {variable: bundle.ABSENT}
    names = [variable, *header.get("members", ())[1:]]
    while names[-1] not in wanted:
        names.pop()
    collects = gc.isenabled()
    gc.disable()  # nothing of what is being built is garbage, and to look for some would take half of the time
    packages = {"Python": "?", **header.get("packages", {})}
    try:
        if "cloudpickle" in packages and packages["Python"] != bundle.version("Python"):
            raise Missing("it holds code, which only the Python that made it can run", SAME)
        unpickler = _Unpickler(stream, buffers=buffers)
        loaded = {name: unpickler.load() for name in names}
        if _minor(packages.get("sklearn")) != _minor("sklearn" in packages and bundle.version("sklearn")):
            raise Missing("scikit-learn does not promise that it computes the same", SAME)
    except Exception as error:  # unpickling runs the constructors of any library: whatever they raise, say of what
        reason, cure = f"{type(error).__name__}: {error}", "the packages of both steps must fit each other"
        if isinstance(error, Missing):
            reason, cure = error.args
        for name, there in packages.items():
            here = bundle.version(name)
            if here and here != there:  # else nothing of it was needed by then, or its import is what failed
                reason += f"; {name} {there} there, {here} here"
        made = f"{header.get('type')}, made by {maker} with Python {packages['Python']}"
        text = f"cannot load {variable!r} ({made}) from {path}: {reason}\n  help: {cure}"
        raise failure.ValueProblem(text) from error
    finally:
        if collects:
            gc.enable()
    return {name: loaded[name] for name in wanted if name in loaded}


def _minor(version: Any) -> list[str]:
    """What of a version scikit-learn's promises are about: it only warns of others, which is not enough here."""
    return str(version or "").split(".")[:2]


class Missing(Exception):
    """A name or a version that this process does not have: (what, how to provide it)."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module.startswith(("kalec_runtime.", "kalecompiler.runtime.")):  # the name here may be the other one
            module = f"{__package__}.{module.rpartition('.')[2]}"
        try:
            return super().find_class(module, name)
        except ImportError as error:
            package = module.partition(".")[0]
            here = package in sys.modules  # another version of the package, then
            cure = SAME if here else f"add the package of {package!r} to this step"
            raise Missing(f"it needs the module {module!r}, which cannot be imported: {error}", cure) from error
        except AttributeError as error:
            if module != "__main__":
                raise Missing(f"{module}.{name} does not exist in the version that is installed here", SAME) from error
            cure = f"define {name!r} in a cell tagged functions, or name it in this step"
            raise Missing(f"the notebook's {name!r} is not defined here", cure) from error
