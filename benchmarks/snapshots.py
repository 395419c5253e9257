"""What snapshots cost, what the store saves, and how fast a state comes back: `python benchmarks/snapshots.py`.

overhead   a pipeline that passes 500 MB on, with snapshots and with `off`; beside it the time of hashing 500 MB
dedup      three runs of 8 steps with small edits: the bytes of full dumps over those of the store
restore    a state of frames, arrays and a model: from the store, from a dill file, and by Kishu where it is there
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kalecompiler import commands, local
from kalecompiler.runtime import values
from kalecompiler.snapshots import loads
from kalecompiler.snapshots.ingest import Ingest
from kalecompiler.snapshots.manifest import VariableRecord
from kalecompiler.snapshots.store import Store

PASSING = (
    ("step:make", "import numpy as np\nrng = np.random.default_rng(1)\nx = rng.random(31_250_000)"),
    ("step:turn prev:make", "y = x[::-1] + 1"),
    ("step:use prev:turn", "total = float(y[:10].sum())"),
)


def notebook(path: Path, cells: tuple[tuple[str, str], ...], level: str) -> Path:
    """A notebook of (tags, source)."""
    made = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {"tags": [*tags.split(), f"snapshot:{level}"]},
         "source": source, "outputs": [], "execution_count": None}
        for n, (tags, source) in enumerate(cells)
    ]  # fmt: skip
    path.write_text(json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def overhead(repeat: int, folder: Path) -> None:
    """The time of a run with its snapshots over that without, the two in turns."""
    found: dict[str, list[float]] = {"off": [], "passed": []}
    specs = {}
    for level in found:
        (folder / level).mkdir()
        specs[level] = commands.compile_(notebook(folder / level / "nb.ipynb", PASSING, level), {}).compiled.spec
    for _ in range(repeat):
        for level, spec in specs.items():
            home = folder / level / ".kalec"
            shutil.rmtree(home, ignore_errors=True)
            started = time.perf_counter()
            keeper = Ingest(Store.open(home / "store", create=True)) if level != "off" else None
            result = local.run(spec, arguments={}, folder=home / "runs", workdir=folder / level, jobs=1, keeper=keeper)
            found[level].append(time.perf_counter() - started)
            assert result.status.value == "succeeded", result
    data = memoryview(bytearray(500_000_000))
    hashing = least(lambda: hashlib.sha256(data).hexdigest(), repeat)
    more = min(found["passed"]) - min(found["off"])
    print(f"overhead: off {min(found['off']):.2f} s, passed {min(found['passed']):.2f} s: {more:+.2f} s")
    print(f"          hashing 500 MB {hashing:.2f} s: {more / hashing:.2f} times that (goal: 1.10)")
    print(
        f"          medians: off {statistics.median(found['off']):.2f}, passed {statistics.median(found['passed']):.2f}"
    )


def dedup(folder: Path) -> None:
    """Snapshots before and after 8 steps of 3 runs: each edit changes one column or a few rows of the data."""
    import numpy
    import pandas

    store = Store.open(folder / "store", create=True)
    full = 0
    for run in range(3):
        rng = numpy.random.default_rng(5)
        state: dict[str, Any] = {"df": pandas.DataFrame({f"c{n}": rng.random(1 << 18) for n in range(16)})}
        state["image"] = rng.integers(0, 255, (1 << 19, 16), dtype="u1")
        for step in range(8):
            for _when in ("before", "after"):
                for name, value in state.items():
                    path = folder / name
                    about = values.save(str(path), value, name)
                    full += about["size"]
                    store.put_file(path, about["digest"], share=True)
            state["df"] = state["df"].assign(**{f"c{step}": state["df"][f"c{step}"] + (run == 2 and step == 6)})
            state[f"note{step}"] = {"step": step, "run": run}
    kept = sum(path.stat().st_size for path in store.path.rglob("*") if path.is_file())
    print(
        f"dedup: 48 snapshots, {full / 1e6:.0f} MB as full dumps, {kept / 1e6:.0f} MB in the store: {full / kept:.1f}x"
    )


def restore(repeat: int, folder: Path) -> None:
    """The same state from the store, and from a file of dill's."""
    import dill
    import numpy
    import pandas

    rng = numpy.random.default_rng(2)
    state = {
        "array": rng.random(10_000_000),
        "frame": pandas.DataFrame({f"c{n}": rng.random(1_000_000) for n in range(10)}),
        "words": pandas.DataFrame({"w": [f"word {n}" for n in range(500_000)]}),
        "table": {n: n * 2 for n in range(1_000_000)},
    }
    store = Store.open(folder / "store", create=True)
    records: dict[str, VariableRecord] = {}
    for name, value in state.items():
        about = values.save(str(folder / name), value, name)
        ref = store.put_file(folder / name, about["digest"], share=True)
        records[name] = VariableRecord(digest=about["digest"], file=ref, size=about["size"], members=(name,))
        (folder / f"{name}.dill").write_bytes(dill.dumps(value))
    stored = {name: lambda name=name: loads.value(store, records[name], True) for name in state}
    dilled = {name: lambda name=name: undill(folder / f"{name}.dill") for name in state}
    print("restore, ms:   store    dill")
    for name in state:
        mine, other = rivals([stored[name], dilled[name]], repeat)
        print(f"    {name:10} {mine * 1e3:7.0f} {other * 1e3:7.0f}")
    whole = [lambda: [call() for call in stored.values()], lambda: [call() for call in dilled.values()]]
    by_kishu = kishu(state, folder)
    times = rivals([*whole, *([by_kishu] if by_kishu else [])], repeat)
    print(f"    {'all':10} {times[0] * 1e3:7.0f} {times[1] * 1e3:7.0f}", end="")
    print(f"   Kishu {times[2] * 1e3:.0f}" if by_kishu else "   (Kishu is not installed here: pip install kishu)")


def undill(path: Path) -> Any:
    """What dill wrote."""
    import dill

    with path.open("rb") as file:
        return dill.load(file)


def kishu(state: Mapping[str, Any], folder: Path) -> Callable[[], object] | None:
    """What restores a state from Kishu's own database, by the plan that its checkout runs; None where it is not here.

    Its checkout also asks a kernel and compares namespaces, so this is the least that it takes.
    """
    try:
        from kishu.jupyter.namespace import Namespace
        from kishu.planning.plan import CheckpointPlan, RestorePlan
        from kishu.storage.checkpoint import KishuCheckpoint
    except ImportError:
        return None
    database = folder / "kishu.db"
    KishuCheckpoint(database).init_database()
    CheckpointPlan.create(Namespace(dict(state)), database, "one", list(state)).run(Namespace(dict(state)))

    def run() -> object:
        plan = RestorePlan()
        plan.add_load_variable_restore_action(1, list(state), [])
        restored = plan.run(database, "one")
        assert all(name in restored for name in state)
        return restored

    return run


def rivals(calls: Sequence[Callable[[], object]], repeat: int) -> list[float]:
    """The least time of each of several calls, which take turns: other work on the machine hits all alike."""
    found = [float("inf")] * len(calls)
    for _ in range(repeat):
        for number, call in enumerate(calls):
            found[number] = min(found[number], least(call, 1))
    return found


def least(call: Callable[[], object], repeat: int) -> float:
    """The least time of several calls: other work on the machine only adds."""
    found = []
    for _ in range(repeat):
        started = time.perf_counter()
        result = call()
        found.append(time.perf_counter() - started)
        del result  # to throw it away is not what is measured
    return min(found)


def main() -> None:
    """Measure what the arguments name; all by default."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[[], "overhead", "dedup", "restore"])
    parser.add_argument("--repeat", type=int, default=5)
    given = parser.parse_args()
    wanted = given.what or ["overhead", "dedup", "restore"]
    print(f"Python {sys.version.split()[0]}")
    for name in wanted:
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as scratch:
            if name == "dedup":
                dedup(Path(scratch))
            else:
                {"overhead": overhead, "restore": restore}[name](given.repeat, Path(scratch))


if __name__ == "__main__":
    main()
