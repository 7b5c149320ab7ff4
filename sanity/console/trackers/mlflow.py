"""Sends the curves of trainings to MLflow."""

import os
import time
from collections.abc import Mapping
from pathlib import Path

from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient

from sanity.console.trackers import TrackedRun

EXPERIMENT = "pruning-sanity"
_KEY = "sanity.key"
_LONGEST_PARAM = 6000


class MLflow:
    """Makes a run for each training, tagged with its key: where MLFLOW_TRACKING_URI says, else in the results."""

    def __init__(self, folder: Path) -> None:
        uri = os.environ.get("MLFLOW_TRACKING_URI")
        if not uri:
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # else MLflow refuses a folder since its version 3
            uri = (folder.absolute() / "mlruns").as_uri()
        self._client = MlflowClient(tracking_uri=uri)
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
        experiment = self._client.get_experiment_by_name(name)
        self._experiment = experiment.experiment_id if experiment else self._client.create_experiment(name)
        self._runs: dict[str, str] = {}
        self._sent: dict[str, int] = {}
        """The last epoch that an earlier process sent of a run: MLflow would keep a second value beside the first."""

    def begin(self, run: TrackedRun, first: int) -> None:
        """Opens the run with the key's tag, or a new one."""
        existing = self._client.search_runs([self._experiment], f"tags.`{_KEY}` = '{run.key}'")
        if first == 1:
            for old in existing:
                self._client.delete_run(old.info.run_id)
        if first > 1 and existing:
            self._runs[run.key] = existing[0].info.run_id
            self._sent[run.key] = self._last_step(existing[0].info.run_id, list(existing[0].data.metrics))
            self._client.update_run(existing[0].info.run_id, status="RUNNING")
            return
        opened = self._client.create_run(self._experiment, run_name=run.name, tags={_KEY: run.key})
        self._runs[run.key], self._sent[run.key] = opened.info.run_id, -1
        params = [Param(name, str(value)[:_LONGEST_PARAM]) for name, value in run.facts.items()]
        self._client.log_batch(opened.info.run_id, params=params, tags=[RunTag(_KEY, run.key)])
        if first == 1:
            self.log(run.key, 0, run.measures)

    def log(self, key: str, epoch: int, values: Mapping[str, float]) -> None:
        """Logs the values as metrics of one step, unless an earlier process has logged that step."""
        if epoch <= self._sent[key]:
            return
        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, epoch) for name, value in values.items()]
        self._client.log_batch(self._runs[key], metrics=metrics)

    def end(self, key: str) -> None:
        """Marks the run as finished."""
        self._client.set_terminated(self._runs.pop(key))
        del self._sent[key]

    def _last_step(self, run: str, metrics: list[str]) -> int:
        return max(
            (metric.step for name in metrics for metric in self._client.get_metric_history(run, name)), default=-1
        )
