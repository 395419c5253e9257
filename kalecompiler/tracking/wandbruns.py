"""Weights & Biases, offline: its own files, which `wandb sync` sends when it suits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kalecompiler.tracking.tracker import Moment, Run, Step, Tracker, home


class WandB(Tracker):
    """Options: `project` (else the pipeline's name), `entity`, `mode` (else `offline`), `folder` for its files.

    On KFP each step is a run of its own, in the group of the pipeline's run: two processes cannot write one.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        import wandb

        self._wandb = wandb
        self._run: Any = None

    def run_started(self, run: Run, moment: Moment) -> None:
        self._open(run, moment)

    def step_finished(self, run: Run, step: Step, moment: Moment) -> None:
        self._open(run, moment).log({f"seconds/{step.name}": step.seconds}, step=moment.number)

    def metrics(self, run: Run, step: str, values: Mapping[str, Any], moment: Moment) -> None:
        self._open(run, moment).log(dict(values), step=moment.number)
        self._open(run, moment).summary.update(dict(values))

    def artifacts(self, run: Run, step: str, files: Sequence[Path], moment: Moment) -> None:
        for file in files:
            self._open(run, moment).save(str(file), base_path=str(run.folder), policy="now")

    def close(self, run: Run, status: str, moment: Moment) -> None:
        self._open(run, moment).summary.update({"status": status})
        self._open(run, moment).finish(exit_code=int(status != "succeeded"))

    def _open(self, run: Run, moment: Moment) -> Any:
        """Its run; a delivery in two goes leaves two folders with one id, which `wandb sync` puts together.

        Online, a run that is known there would begin anew. Only the rest of a delivery is to go on with it, and not a
        step that is run again: that counts its calls from 0.
        """
        if self._run is None:
            mode = self.options.get("mode") or "offline"
            folder = Path(self.options.get("folder") or home(run) / "wandb")
            folder.mkdir(parents=True, exist_ok=True)
            self._run = self._wandb.init(
                project=self.options.get("project") or run.pipeline,
                entity=self.options.get("entity"),
                id=f"{run.id}-{run.teller}" if run.teller else run.id,
                name=run.teller or run.id,
                group=run.id if run.teller else None,
                dir=str(folder),
                mode=mode,
                resume="allow" if moment.number and mode != "offline" else None,
                config={**run.parameters, "kalec": {"git": run.provenance.get("git")}},
            )
        return self._run
