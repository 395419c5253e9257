"""Programs that hypothesis writes: the pipeline gives what the notebook gives, or refuses, fails or warns of it.

benchmarks/oracle_long.py tries thousands; here a few, always the same.
"""

from __future__ import annotations

import collections
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from oracle import judge_apart
from programs import programs
from support import write_notebook

FORKED, REAL = 285, 15


@pytest.mark.slow
@pytest.mark.parametrize(("examples", "real"), [(FORKED, False), (REAL, True)], ids=["forked steps", "real steps"])
def test_no_program_differs_in_silence(examples: int, real: bool) -> None:
    outcomes: collections.Counter[str] = collections.Counter()

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(programs())
    def promise(text: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder) / "work"
            work.mkdir()
            verdict = judge_apart(write_notebook(Path(folder) / "nb.ipynb", text), work, real=real)
        outcomes[verdict.outcome] += 1
        assert verdict.outcome == "refused" or verdict.planned is not None
        assert verdict.outcome != "equal" or verdict.compared > 0
        assert not verdict.unsaid(), f"{verdict.details}\n{verdict.text}\n{text}"

    promise()
    # That few programs are refused or fail is a promise too: most of them are ordinary.
    assert sum(outcomes.values()) >= examples
    assert outcomes["equal"] >= 0.5 * examples, outcomes
    assert outcomes["broken"] <= 0.05 * examples, outcomes
