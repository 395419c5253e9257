"""Thousands of generated programs against the oracle: how many come out equal, refused, failing or warned of.

    python benchmarks/oracle_long.py [--examples 5000] [--seed 1] [--jobs 2] [--real]

Prints the counts, and every program of which the pipeline silently gives something else; the exit status is 1 then.
It is no part of `make bench`: it takes about a quarter of an hour on two cores.
"""

from __future__ import annotations

import argparse
import collections
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: E402
from oracle import judge, warm  # noqa: E402
from programs import programs  # noqa: E402
from support import write_notebook  # noqa: E402

Counts = collections.Counter[str]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--real", action="store_true", help="run the compiled packages, each step a process of its own")
    given_ = parser.parse_args()
    started = time.perf_counter()
    share = -(-given_.examples // given_.jobs)
    work = [(given_.seed * 1000 + job, share, given_.real) for job in range(given_.jobs)]
    with multiprocessing.get_context("spawn").Pool(given_.jobs) as pool:
        results = pool.starmap(hunt, work)
    counts = sum((found for found, _ in results), Counts())
    silent = [program for _, programs_ in results for program in programs_]
    for program in sorted(silent, key=len)[:20]:
        print(program, end="\n\n")
    print(f"{counts.total()} programs in {time.perf_counter() - started:.0f} s:", dict(counts.most_common()))
    return 1 if silent else 0


def hunt(start: int, examples: int, real: bool) -> tuple[Counts, list[str]]:
    """The outcomes of programs written from a seed, and those that differ in silence, each with what differs."""
    warm()
    counts, silent = Counts(), []

    @seed(start)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(programs())
    def promise(text: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder) / "work"
            work.mkdir()
            verdict = judge(write_notebook(Path(folder) / "nb.ipynb", text), work, real=real)
        unsaid = verdict.unsaid()
        outcome = "warned" if verdict.outcome == "different" else verdict.outcome
        counts["silent" if unsaid else outcome] += 1
        if unsaid:
            silent.append("\n".join([text, *map(str, unsaid)]))

    promise()
    return counts, silent


if __name__ == "__main__":
    raise SystemExit(main())
