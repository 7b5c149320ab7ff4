"""Trains what is queued in batches, each training under a claim, so that no other process makes it too."""

import logging
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Generic, TypeVar

from sanity.errors import DiskError, Interrupted
from sanity.grid.experiment import Experiment
from sanity.grid.progress import Reporter
from sanity.grid.search_batch import PlannedSearch, planned_search, search_batch
from sanity.grid.task import MaskSearch, Training
from sanity.grid.ticket_search import find_mask
from sanity.grid.training_batch import PlannedTraining, planned, train_batch
from sanity.store.claims import Claims

log = logging.getLogger("sanity")
User = TypeVar("User")
"""Who needs a training: a cell, or the place of a task in a list."""
Planned = PlannedTraining | PlannedSearch


class TrainingQueue(Generic[User]):
    """Holds trainings that can start, each with those who need it; equal trainings run once.

    A search that trains scores is one of them.
    """

    def __init__(self, experiment: Experiment, reporter: Reporter, stop: Callable[[], bool]) -> None:
        self.experiment, self.reporter, self.stop = experiment, reporter, stop
        self.claims = Claims(experiment.store.root)
        self.waiting: dict[str, tuple[Planned, Training | MaskSearch, list[User]]] = {}
        """Trainings that can start, by key, each with those who need it."""
        self.elsewhere: list[User] = []
        """Those who need a result which another process computes."""
        self.errors: dict[object, BaseException] = {}
        """Why a task failed, by its name: it is not tried again for other users."""

    def add(self, training: Training | MaskSearch, title: str, user: User) -> None:
        """Queues a training until a batch of its kind can start. Raises `UserError` if its ticket is damaged."""
        plan = self._planned(training, title)
        if (known := self.waiting.get(plan.key)) is not None and known[0].moments < plan.moments:
            self.waiting[plan.key] = (plan, training, known[2])  # one user needs a moment more of the same training
        self.waiting.setdefault(plan.key, (plan, training, []))[2].append(user)

    def search(self, search: MaskSearch) -> bool:
        """Computes a mask; returns False, and computes nothing, while another process does."""
        claim = self.claims.take("tickets", search.key)
        if claim is None:
            return False
        with claim:
            if not search.is_done(self.experiment):
                find_mask(search, self.experiment, self.stop)
        return True

    def train_next(self) -> list[User]:
        """Trains the next batch and returns those who can go on."""
        with ExitStack() as claims:
            batch = self._claimed(claims)
            todo = [self._again(plan) for plan in batch if not self._is_done(plan)]
            if todo:
                self._try(todo)
        return [user for plan in batch for user in self.waiting.pop(plan.key)[2]]

    def train(self, batch: Sequence[Planned]) -> None:
        """Trains a batch at once and records each; all are trainings of tickets, or all searches."""
        searches = [plan for plan in batch if isinstance(plan, PlannedSearch)]
        if searches:
            errors = search_batch(searches, self.experiment, self.reporter, self.stop)
            self.errors |= {self.waiting[key][1].name: error for key, error in errors.items()}
            return
        trainings = [plan for plan in batch if isinstance(plan, PlannedTraining)]
        train_batch(trainings, self.experiment, self.reporter, self.stop)

    def _planned(self, training: Training | MaskSearch, title: str) -> Planned:
        if isinstance(training, MaskSearch):
            return planned_search(training, title, self.experiment)
        return planned(training, title, self.experiment)

    def _is_done(self, plan: Planned) -> bool:
        return self.waiting[plan.key][1].is_done(self.experiment)

    def _again(self, plan: Planned) -> Planned:
        """Plans the claimed training again, since another process may have trained a part of it meanwhile."""
        return self._planned(self.waiting[plan.key][1], plan.title)

    def _claimed(self, claims: ExitStack) -> list[Planned]:
        """Claims as many queued trainings as may run at once. All see the same data; those of one kind come first.

        Those who need a training that another process has claimed move to `elsewhere`.
        """
        batch: list[Planned] = []
        for plan in self._in_order():
            claim = self.claims.take(plan.kind, plan.key)
            if claim is None:
                self.elsewhere += self.waiting.pop(plan.key)[2]
                continue
            claims.enter_context(claim)
            batch.append(plan)
            if len(batch) == self.experiment.side_by_side:
                break
        return batch

    def _in_order(self) -> list[Planned]:
        plans = [plan for plan, _, _ in self.waiting.values()]
        same = [plan for plan in plans if plan.sees == plans[0].sees]
        return sorted(same, key=lambda plan: plan.sparse != plans[0].sparse)

    def _try(self, batch: list[Planned]) -> None:
        try:
            self.train(batch)
        except (Interrupted, DiskError):
            raise
        except (Exception, SystemExit) as error:
            unfinished = [plan for plan in batch if not self._is_done(plan)]
            if not unfinished:  # all trainings are recorded, so the error is not one of theirs
                log.error("after the training of %s: %r", ", ".join(plan.title for plan in batch), error)
                raise
            if len(batch) == 1:
                self.errors[self.waiting[batch[0].key][1].name] = error
                return
            log.debug("%s", "".join(traceback.format_exception(error)))
            for plan in unfinished:  # one by one, so that only the training at fault fails
                self._try([plan])
