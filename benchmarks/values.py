"""Saving and loading values, beside dill, joblib, plain pickle, and kubeflow-kale with the copies of its own path.

    python benchmarks/values.py [--tries 7] [--kind frame] [--large]

Contestants take turns in one process, in another order each time, and the medians are printed with their ratio to
dill's. "verified" is what a step does: digests are computed while writing and checked before unpickling; no other
contestant checks anything. "limit" is what the machine takes to copy the same bytes, to write them, and to hash them in
two threads.
`KALE_PYTHON` is a Python with kubeflow-kale: its marshalling code runs here, from there. A kind whose library is
missing is left out, and so is a contestant. `--large` passes 4 GB through a file, and prints the memory that it took.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import importlib.util
import os
import pickle
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from kalecompiler.runtime import outputs, values

Way = tuple[Callable[[Any, Path], Any], Callable[[Path, Any], Any]]
MB = 1 << 20


def kinds() -> Iterator[tuple[str, Callable[[], Any]]]:
    """The values of the table, as functions that make them."""
    import numpy as np
    import pandas as pd
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    chance = np.random.default_rng(0)
    rows = 1_500_000

    def mixed() -> Any:
        numbers = {f"x{n}": chance.random(rows) for n in range(8)}
        whole = {f"n{n}": chance.integers(0, 9999, rows) for n in range(4)}
        day = pd.Timestamp("2024-01-01") + pd.to_timedelta(chance.integers(0, 10**6, rows), unit="s")
        kind = pd.Categorical.from_codes(chance.integers(0, 3, rows), ["a", "b", "c"])
        return pd.DataFrame({**numbers, **whole, "day": day, "flag": chance.random(rows) > 0.5, "kind": kind})

    def objects() -> Any:
        names = pd.Series([f"customer {n % 50_000}" for n in range(500_000)], dtype=object)
        return pd.DataFrame({"name": names, "x": chance.random(500_000), "n": np.arange(500_000)})

    def forest() -> Any:
        data = chance.random((20_000, 20))
        return RandomForestClassifier(n_jobs=1, random_state=0).fit(
            data, data.sum(axis=1) + chance.random(20_000) > 10.5
        )

    def regression() -> Any:
        data = chance.random((5_000, 10))
        return RandomForestRegressor(60, n_jobs=1, random_state=0).fit(data, data.sum(axis=1))

    yield "ndarray 80 MB", lambda: chance.random(10_000_000)
    yield "mixed frame", mixed
    yield "object frame", objects
    yield "random forest", forest
    yield "regression forest", regression
    yield "dict of 1e6", lambda: {f"key {n}": n * 0.5 for n in range(1_000_000)}
    if importlib.util.find_spec("torch"):
        import torch

        yield "torch 40 MB", lambda: torch.rand(10_000_000)


def ways(folder: Path) -> dict[str, Way]:
    """Contestant -> (save, load); what `save` returns is handed to `load`."""
    found: dict[str, Way] = {"dill": _module("dill"), "verified": (_save, _load)}
    if importlib.util.find_spec("blake3"):
        found["verified, blake3"] = (lambda value, path: _save(value, path, hash="blake3"), _load)
    found["pickle"] = _module("pickle")
    if importlib.util.find_spec("joblib"):
        import joblib

        found["joblib"] = (joblib.dump, lambda path, _: joblib.load(path))
    if kale := _kale(folder):
        found["kale"] = kale
    return found


def _save(value: Any, path: Path, **options: Any) -> str:
    digest: str = values.save(str(path), value, "value", options)["digest"]
    return digest


def _load(path: Path, digest: str) -> Any:
    return values.load(str(path), digest)


def _module(name: str) -> Way:
    """dill, or pickle with its highest protocol."""
    module = __import__(name)
    protocol = {"protocol": 5} if name == "pickle" else {}

    def save(value: Any, path: Path) -> None:
        with path.open("wb") as file:
            module.dump(value, file, **protocol)

    def load(path: Path, _: Any) -> Any:
        with path.open("rb") as file:
            return module.load(file)

    return save, load


def _kale(folder: Path) -> Way | None:
    """What kale's generated steps do: save into its folder, copy to the artifact; copy the artifact back, load it."""
    python = os.environ.get("KALE_PYTHON")
    if not python:
        return None
    code = "import kale, os; print(os.path.dirname(os.path.dirname(kale.__file__)))"
    sys.path.append(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip())
    from kale import marshal  # type: ignore[import-not-found]

    made, taken = folder / "kale-made", folder / "kale-taken"
    taken.mkdir(exist_ok=True)

    def save(value: Any, path: Path) -> str:
        marshal.set_data_dir(str(made))
        marshal.save(value, "value_artifact")
        source: str = marshal.get_path("value_artifact")
        shutil.copyfile(source, path)
        return source

    def load(path: Path, source: str) -> Any:
        marshal.set_data_dir(str(taken))
        shutil.copy(path, taken / Path(source).name)
        return marshal.load("value_artifact")

    return save, load


def clear(folder: Path) -> None:
    """Nothing of the last try is left: overwriting is another speed than writing."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file():
            path.unlink()


def settle() -> None:
    """What was written before is on the disk, so that writing it takes no processor from the next."""
    gc.collect()
    os.sync()


def measure(value: Any, folder: Path, tries: int) -> dict[str, tuple[float, float]]:
    """Contestant -> (median of saving, of loading) in milliseconds."""
    contestants = ways(folder)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    for _ in range(tries):
        for name in random.sample(list(contestants), len(contestants)):
            save, load = contestants[name]
            clear(folder)
            settle()
            start = time.perf_counter()
            ticket = save(value, folder / "value")
            saved = time.perf_counter()
            settle()
            begun = time.perf_counter()
            load(folder / "value", ticket)
            times[name].append((saved - start, time.perf_counter() - begun))
    return {name: _medians(found) for name, found in times.items()}


def _medians(found: list[tuple[float, float]]) -> tuple[float, float]:
    one, other = (statistics.median(side) * 1000 for side in zip(*found, strict=True))
    return one, other


def limits(size: int, folder: Path) -> dict[str, float]:
    """Milliseconds to copy, write and hash that many bytes; the best of five."""
    data = bytearray(os.urandom(MB)) * (size // MB + 1)
    view = memoryview(data)

    def write() -> None:
        clear(folder)
        with (folder / "limit").open("wb", buffering=0) as file:
            for start in range(0, len(view), MB):
                file.write(view[start : start + MB])

    def hash_in_two() -> None:
        places = iter(range(0, len(view), MB))

        def work() -> None:
            for start in places:
                hashlib.sha256(view[start : start + MB]).digest()

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    works: dict[str, Callable[[], object]] = {"copy": lambda: bytes(view), "write": write, "hash": hash_in_two}
    return {name: min(_seconds(work) for _ in range(5)) * 1000 for name, work in works.items()}


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def show(kind: str, times: dict[str, tuple[float, float]], size: int, folder: Path) -> None:
    """Print a kind's table."""
    save, load = times["dill"]
    print(f"{kind}: {size / 1e6:.0f} MB")
    for name, (saved, loaded) in times.items():
        print(f"  {name:<18} save {saved:8.1f} ms  x {save / saved:5.2f}", end="")
        print(f"   load {loaded:8.1f} ms  x {load / loaded:5.2f}")
    found = limits(size, folder)
    floor = max(found["write"], found["hash"])
    text = ", ".join(f"{name} {taken:.0f} ms" for name, taken in found.items())
    print(f"  limit: {text}; reached {floor / times['verified'][0]:.0%} saving", end="")
    print(f", {max(found['copy'], found['hash']) / times['verified'][1]:.0%} loading")


def large(folder: Path) -> None:
    """4 GB through a file: time, and the most memory that the process had beyond the object."""
    import numpy as np

    value = np.ones(1 << 29)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    taken = _seconds(lambda: _save(value, folder / "value"))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"4 GB: saved in {taken:.1f} s, with {(after - before) / 1024:.0f} MB beyond the object")


def start_of_a_step(folder: Path, tries: int = 30) -> None:
    """Interpreter and runtime of a step without inputs, over a bare `python -c pass`: medians of processor time."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    from runtime_steps import command, executor_input, step

    content = step("x = 1")
    arguments = command(content, executor_input(content, folder))
    bare, full = ([_process(line) for _ in range(tries)] for line in ([sys.executable, "-c", "pass"], arguments))
    over = (statistics.median(full) - statistics.median(bare)) * 1000
    print(f"start of a step: {over:.1f} ms over `python -c pass` ({statistics.median(bare) * 1000:.1f} ms)")


def _process(line: list[str]) -> float:
    return _seconds(lambda: subprocess.run(line, check=True, capture_output=True))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=7)
    parser.add_argument("--kind", default="")
    parser.add_argument("--large", action="store_true")
    given = parser.parse_args()
    outputs.recipes()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "files"
        folder.mkdir()
        for kind, make in kinds():
            if given.kind in kind:
                value = make()
                times = measure(value, folder, given.tries)
                clear(folder)
                size = len(pickle.dumps(value, protocol=5))
                show(kind, times, size, folder)
        if given.large:
            large(folder)
        if not given.kind:
            start_of_a_step(folder)


if __name__ == "__main__":
    main()
