"""Where a run's notebook lies: beside the store, so that a project can be copied and moved with its runs."""

from __future__ import annotations

from pathlib import Path

from kalecompiler.local.folders import HOME
from kalecompiler.snapshots import signing
from kalecompiler.snapshots.manifest import RunRecord
from kalecompiler.snapshots.store import Store

IMPORTED = "imported"
"""Says in a record that the run was made elsewhere: the folder that it names is the sender's."""


def notebook(store: Store, record: RunRecord) -> Path:
    """The path of the notebook; it need not be there.

    That beside the store counts first. The folder that a record names counts only if the record is signed by this user:
    whoever made another one would choose whose code runs. That of an imported run never counts, whoever signed it.
    """
    name = Path(record.notebook_name).name
    beside = store.path.parent.parent if store.path.parent.name == HOME else Path.cwd()
    named = Path(record.workdir) if record.workdir else beside
    if (beside / name).is_file() or not named.is_dir() or not is_own(record):
        return beside / name
    return named / name


def is_own(record: RunRecord) -> bool:
    """Whether this user made the run, and where its store is."""
    return signing.trusted(record) == signing.SIGNED and not record.extra.get(IMPORTED)


def folder(store: Store, record: RunRecord) -> Path:
    """The notebook's folder, in which its steps work."""
    return notebook(store, record).parent
