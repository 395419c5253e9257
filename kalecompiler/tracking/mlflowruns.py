"""MLflow: a run on its server, with parameters, metrics, tags and files."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kalecompiler.tracking.tracker import Moment, Run, Step, Tracker, numbers

RUN_TAG, SETTLED_TAG, STEP_TAG = "kalec.run", "kalec.settled", "kalec.step."
_ENDS = {"succeeded": "FINISHED", "stopped": "KILLED"}
# What the server takes for one value of a parameter and of a tag.
LONGEST_VALUE, LONGEST_TAG = 6000, 5000


class MLflow(Tracker):
    """Options: `uri` of the server (else $MLFLOW_TRACKING_URI), `experiment` (else the pipeline's name).

    A run is found again by its tag `kalec.run`. A call that comes twice writes what is there: points of a metric carry
    the time at which they were measured, and the server keeps one of each.

    On KFP the steps that end first may make a run each, at the same time: each waits a moment, looks again, and all
    take the one that is settled, else the oldest, and delete their own. That fails only where the server takes longer
    than that moment for one of the other steps; there are then two runs with the tag, and the later steps go to the
    settled one. A run that another step has told something by then is not deleted.
    """

    settling = 1.0  # seconds

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient(tracking_uri=options.get("uri"))
        self._known: dict[str, str] = {}

    def run_started(self, run: Run, moment: Moment) -> None:
        own = self._run(run)
        for name, value in run.parameters.items():
            self._client.log_param(own, name, str(value)[:LONGEST_VALUE])

    def step_finished(self, run: Run, step: Step, moment: Moment) -> None:
        own = self._run(run)
        self._client.set_tag(own, f"{STEP_TAG}{step.name}", step.status)
        if step.failure:
            self._client.set_tag(own, f"kalec.failure.{step.name}", step.failure[:LONGEST_TAG])
        self._log(own, {f"seconds/{step.name}": step.seconds}, moment)

    def metrics(self, run: Run, step: str, values: Mapping[str, Any], moment: Moment) -> None:
        own, scalars = self._run(run), numbers(values)
        self._log(own, scalars, moment)
        for name in values.keys() - scalars.keys():
            self._client.set_tag(own, name, str(values[name])[:LONGEST_TAG])

    def artifacts(self, run: Run, step: str, files: Sequence[Path], moment: Moment) -> None:
        for file in files:
            self._client.log_artifact(self._run(run), str(file), step or None)

    def close(self, run: Run, status: str, moment: Moment) -> None:
        own = self._run(run)
        if run.teller:  # another step may have failed; one that was tried again says `succeeded` in the end
            tags = self._client.get_run(own).data.tags
            if any(name.startswith(STEP_TAG) and value == "failed" for name, value in tags.items()):
                status = "failed"
        self._client.set_terminated(own, _ENDS.get(status, "FAILED"), int(moment.time * 1000))

    def _run(self, run: Run) -> str:
        """The run's id on the server; it is made where it is not there."""
        if run.id not in self._known:
            self._known[run.id] = self._find(run) or self._create(run)
        return self._known[run.id]

    def _find(self, run: Run) -> str | None:
        experiment = self._client.get_experiment_by_name(self._experiment(run))
        if experiment is None:
            return None
        found = self._client.search_runs([experiment.experiment_id], f"tags.`{RUN_TAG}` = '{run.id}'")
        known = [(SETTLED_TAG not in one.data.tags, one.info.start_time, str(one.info.run_id)) for one in found]
        return min(known)[2] if known else None

    def _create(self, run: Run) -> str:
        ident, known = self._experiment_id(run), run.provenance
        tags = {
            RUN_TAG: run.id,
            "mlflow.runName": run.id,
            "mlflow.user": (known.get("who") or {}).get("user"),
            "mlflow.source.name": (known.get("notebook") or {}).get("path"),
            "mlflow.source.git.commit": (known.get("git") or {}).get("commit"),
            "kalec.package": (known.get("package") or {}).get("sha256"),
        }
        asked = time.monotonic()
        made = self._client.create_run(ident, int(run.started * 1000), {k: str(v) for k, v in tags.items() if v})
        own = str(made.info.run_id)
        if run.teller:
            took = time.monotonic() - asked  # a slow server is slow for the other steps too
            time.sleep(min(max(self.settling, 3 * took), 10.0))
            chosen = self._find(run) or own
            if chosen != own:
                data = self._client.get_run(own).data
                if not (data.params or data.metrics or any(tag.startswith(STEP_TAG) for tag in data.tags)):
                    self._client.delete_run(own)
                return chosen
            self._client.set_tag(own, SETTLED_TAG, run.teller)
        return own

    def _experiment_id(self, run: Run) -> str:
        """The experiment's id; it is made where it is not there. Another step may make it at the same time."""
        from mlflow.exceptions import MlflowException

        name = self._experiment(run)
        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self._client.create_experiment(name))
            except MlflowException:
                found = self._client.get_experiment_by_name(name)
                if found is None:
                    raise
        return str(found.experiment_id)

    def _log(self, own: str, values: Mapping[str, float], moment: Moment) -> None:
        from mlflow.entities import Metric

        when = int(moment.time * 1000)
        if values:
            self._client.log_batch(own, [Metric(name, value, when, 0) for name, value in values.items()])

    def _experiment(self, run: Run) -> str:
        return str(self.options.get("experiment") or run.pipeline)
