"""Trains one or several tickets together on a device: the optimizer step, the epoch around it, their state."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor

from sanity import masks, seeds
from sanity.masks import RankedMask
from sanity.training import checkpoint
from sanity.training.batches import EpochOrder, draw_epoch, held_out_indices, stack_orders, train_indices
from sanity.training.checkpoint import Checkpoint
from sanity.training.job import FIELDS, HELD_OUT, BestEpoch, TrainingResult, TrainingSpec
from sanity.training.lr_schedule import rate
from sanity.training.mask_updates import MaskUpdater
from sanity.training.optimizer import drop_gradients
from sanity.training.setting import Setting
from sanity.training.stacked_model import StackedModel
from sanity.training.step import LaunchedStep, Step

_TEST_BATCH = 500


class Trainer:
    """Trains tickets of one architecture that are at the same position of the same schedule.

    On CUDA it has a stream of its own, so that the small kernels of several trainers run at the same time.

    taken: how many steps of the present epoch are taken. stepper: takes the next; a CUDA graph may take its place.
    """

    def __init__(
        self, group: Sequence[TrainingSpec], setting: Setting, identities: Sequence[str], at: Sequence[Checkpoint]
    ) -> None:
        self.jobs, self.setting, self.identities = group, setting, identities
        self.batches, self.test_batches = setting.batches  # before the stream, which waits for what they launch
        self.stream: torch.cuda.Stream | None = None
        if setting.device.type == "cuda":
            self.stream = torch.cuda.Stream(setting.device)
            self.stream.wait_stream(torch.cuda.current_stream(setting.device))
        self.epochs = setting.epochs(group[0])
        self.epoch, self.taken = at[0].epoch, at[0].step
        self.curves = [list(position.curve) for position in at]
        self.walls = [position.wall_s for position in at]
        self.resumed = [position.epoch if position.resumed else None for position in at]
        self.snapshots = [dict(position.snapshots) for position in at]
        self.best = [position.best for position in at]
        self.best_of = [dict(position.best_of) for position in at]
        self.diverged: list[int | None] = [None] * len(group)
        self.indices = [train_indices(job.seed, len(setting.train), setting.recipe) for job in group]
        count = len(setting.train)
        self.held_out = torch.stack([held_out_indices(job.seed, count, setting.recipe) for job in group]).to(
            setting.device
        )
        self.rates: list[float] = []
        rule = group[0].updates
        self.updater = MaskUpdater(rule, group[0].seed, self.epochs, setting.recipe) if rule is not None else None
        self.stepper: Step = LaunchedStep(self)
        with self.current():
            self._allocate(at)

    def _allocate(self, at: Sequence[Checkpoint]) -> None:
        """Allocates all that a step reads and writes on the device, at addresses that stay."""
        device = self.setting.device
        self.stacked_model = StackedModel(self.jobs, self.setting.recipe, device, self.setting.layout)
        self.sums = torch.zeros(2, len(self.jobs), dtype=torch.float64, device=device)
        self.plan = self._draw()
        if at[0].tensors:
            self.stacked_model.load([position.tensors for position in at])
            self.sums.copy_(torch.stack([position.tensors["sums"] for position in at], dim=1))
        else:
            self._keep_snapshots()

    def current(self) -> AbstractContextManager[object]:
        """Context manager; kernels launched inside go to this trainer's stream."""
        return nullcontext() if self.stream is None else torch.cuda.stream(self.stream)

    # -- one step ------------------------------------------------------------------------------------------------

    @property
    def span(self) -> range:
        """The steps of the schedule's epoch that this training takes: all, but where it starts or ends within it."""
        return self.epochs.span(self.epoch)

    @property
    def steps(self) -> int:
        """How many steps the present epoch has."""
        return len(self.span)

    @property
    def iteration(self) -> int:
        """How many iterations are trained."""
        return self.epochs.iteration(self.epoch, self.taken)

    def take_step(self) -> None:
        """Takes the next step of the epoch; does not wait for the device."""
        self.stepper.take(self.span.start + self.taken)
        self.taken += 1

    def advance(self) -> None:
        """Takes the next step and keeps the weights after it where a snapshot is asked for."""
        self.take_step()
        self._keep_snapshots()

    def step(self, columns: slice | Tensor) -> None:
        """Takes one optimizer step on the batch in the `columns` of the epoch's order."""
        recipe = self.setting.recipe
        images, targets = self.batches.train(self.plan, columns)
        logits = self._forward(images)
        losses = F.cross_entropy(logits, targets, reduction="none", label_smoothing=recipe.label_smoothing)
        losses = losses.view(len(self.jobs), -1)
        losses.mean(1).sum().backward()
        if self.updater is not None and self.updater.due(self.iteration):
            self.updater.update(self.stacked_model, self.iteration, self._optimizer_step)
        else:
            self._optimizer_step()
        drop_gradients(self.stacked_model.optimizer)
        self.sums += self._count(logits, targets, losses)

    def _optimizer_step(self) -> None:
        """Takes the optimizer's step on the gradients that are there, those of pruned weights left out."""
        self.stacked_model.penalise_scales(self.setting.recipe.l1_norm)
        self.stacked_model.mask_gradients()
        self.stacked_model.clip_gradients(self.setting.recipe.clip_norm)
        self.stacked_model.step()
        self.stacked_model.restore_frozen()

    def _forward(self, images: Tensor) -> Tensor:
        device = self.setting.device.type
        with torch.autocast(device, dtype=torch.bfloat16, enabled=self.setting.precision == "bf16"):
            logits: Tensor = self.stacked_model.network(images.contiguous(memory_format=self.stacked_model.layout))
        return logits.float()

    @torch.no_grad()
    def _count(self, logits: Tensor, targets: Tensor, losses: Tensor) -> Tensor:
        """Sums losses and hits over the batch: (2, tickets), float64, on the device."""
        hits = (logits.argmax(1) == targets).view(len(self.jobs), -1)
        return torch.stack([losses, hits]).sum(2, dtype=torch.float64)

    # -- one epoch -----------------------------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        """Whether all epochs are trained, or nothing finite is left to train."""
        return self.epoch >= self.epochs.count or None not in self.diverged

    @property
    def position(self) -> int:
        """The epoch on the recipe's schedule."""
        return self.epochs.place(self.epoch)

    def begin_epoch(self) -> None:
        """Draws the epoch's order and augmentation and its learning rates; goes on within it after a resume."""
        self.stacked_model.network.train()
        self.plan.copy_(self._draw())
        recipe, steps, first = self.setting.recipe, self.epochs.steps, self.span.start
        constant = self.jobs[0].learning_rate
        schedule = (rate(recipe, self.position + step / steps, self.curves[0]) for step in range(steps))
        self.rates = list(schedule) if constant is None else [constant] * steps
        self.stepper.begin_epoch(self.rates, first + self.taken)
        if self.taken == 0:
            self.sums.zero_()
            within = [first] if first else []  # a start within an epoch has noise of its own: dropout's
            torch.manual_seed(seeds.generator(self.jobs[0].seed, "noise", self.position, *within).initial_seed())

    def _draw(self) -> EpochOrder:
        pairs = zip(self.jobs, self.indices, strict=True)
        plans = [draw_epoch(job.seed, self.position, indices, self.setting.recipe) for job, indices in pairs]
        return stack_orders(plans).to(self.setting.device)

    def end_epoch(self) -> list[dict[str, float] | None]:
        """Tests the tickets and extends their curves: the rows of this epoch, None for a ticket that has diverged."""
        size, span = self.setting.recipe.batch_size, self.span
        count = min(span.stop * size, len(self.indices[0])) - span.start * size
        trained, learnt = (self.sums / count).tolist(), self.stacked_model.learnt
        if learnt is not None:
            learnt.end_epoch(self.epoch + 1)
        tested = (self.test() / len(self.setting.test)).tolist()
        held_out = (self.test_held_out() / self.held_out.shape[1]).tolist() if self.held_out.numel() else None
        began, rate_of_last = self.epochs.iteration(self.epoch, 0), self.rates[span.stop - 1]
        self.epoch, self.taken = self.epoch + 1, 0
        rows: list[dict[str, float] | None] = []
        for index in range(len(self.jobs)):
            train_loss, train_hits, test_loss, test_hits = (part[index] for part in (*trained, *tested))
            measured = (train_loss, 100 * train_hits, test_loss, 100 * test_hits)
            finite = all(map(math.isfinite, measured)) and (learnt is None or learnt.is_finite(index))
            if self.diverged[index] is None and not finite:
                self.diverged[index] = self.epoch
                self.snapshots[index] = {k: weights for k, weights in self.snapshots[index].items() if k <= began}
            if self.diverged[index] is None:
                row = dict(zip(FIELDS, (self.epoch, rate_of_last, *measured), strict=True))
                if held_out is not None and math.isfinite(held_out[0][index]):
                    row |= dict(zip(HELD_OUT, (held_out[0][index], 100 * held_out[1][index]), strict=True))
                self.curves[index].append(row)
                self._keep_best(index)
            rows.append(None if self.diverged[index] else self.curves[index][-1])
        return rows

    def _keep_best(self, index: int) -> None:
        """Keeps the weights of a ticket where the epoch that has ended is its best, as long as they are asked for."""
        job, row, before = self.jobs[index], self.curves[index][-1], self.best[index]
        if not job.best_of or self.iteration > max(job.best_of):
            return
        if before is None or row["test_accuracy"] > before.test_accuracy:
            self.best[index] = BestEpoch(self.epoch, row["test_accuracy"], self.stacked_model.weights(index))
        best = self.best[index]
        if self.iteration in job.best_of and best is not None:
            self.best_of[index][self.iteration] = best
            if job.directory is not None:
                checkpoint.save_best(job.directory, self.identities[index], self.iteration, best)

    def test(self) -> Tensor:
        """Sums losses and hits over the test set: (2, tickets), float64, on the device."""
        tickets = len(self.jobs)
        parts = (slice(start, start + _TEST_BATCH) for start in range(0, len(self.setting.test), _TEST_BATCH))
        batches = map(self.test_batches.test, parts)
        return self._sum((images.repeat(tickets, 1, 1, 1), targets.repeat(tickets)) for images, targets in batches)

    def test_held_out(self) -> Tensor:
        """Sums losses and hits over the training examples that each ticket holds out, as `test` does."""
        return self._sum(self.batches.plain(part.flatten()) for part in self.held_out.split(_TEST_BATCH, dim=1))

    @torch.no_grad()
    def _sum(self, batches: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
        """Sums losses and hits over batches, of each the images of all tickets, in evaluation mode."""
        sums = torch.zeros_like(self.sums)
        self.stacked_model.network.eval()
        for images, targets in batches:
            logits = self._forward(images)
            losses = F.cross_entropy(logits, targets, reduction="none").view(len(self.jobs), -1)
            sums += self._count(logits, targets, losses)
        return sums

    def _keep_snapshots(self) -> None:
        for index, job in enumerate(self.jobs):
            if self.iteration in job.snapshots and self.diverged[index] is None:
                weights = self.snapshots[index][self.iteration] = self.stacked_model.weights(index)
                if job.directory is not None:
                    checkpoint.save_snapshot(job.directory, self.identities[index], self.iteration, weights)

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """Context manager; the steps taken inside, from the start of an epoch, are undone on exit, also by an error."""
        taken, self.taken = self.taken, 0
        try:
            with self.current(), self.stacked_model.rehearsal(self.sums):
                self.begin_epoch()
                yield
        finally:
            self.taken = taken

    # -- to disk, and out ----------------------------------------------------------------------------------------

    def save(self) -> None:
        """Writes the checkpoint of every ticket that has a directory and is finite."""
        for index, job in enumerate(self.jobs):
            if job.directory is not None and self.diverged[index] is None:
                tensors = {**self.stacked_model.state(index), "sums": self.sums[:, index].cpu()}
                at = Checkpoint(self.epoch, self.taken, self.curves[index], self.walls[index], tensors)
                at.best = self.best[index]
                checkpoint.save(job.directory, self.identities[index], at)

    def results(self) -> list[TrainingResult]:
        """Returns the result of each ticket. Raises `RuntimeError` where a pruned weight is not zero."""
        for index, diverged in enumerate(self.diverged):
            if diverged is None:
                self.stacked_model.check_masks(index)
        self.stacked_model.apply_masks()  # a diverged ticket's pruned weights may be NaN
        return [self._result(index) for index in range(len(self.jobs))]

    def _final_mask(self, index: int) -> RankedMask | None:
        """Returns the mask that a ticket's training changed or learnt, on the CPU; None where it did neither."""
        model = self.stacked_model
        if self.updater is None and (model.learnt is None or self.diverged[index] is not None):
            return None
        mask = model.mask() if model.learnt is None else model.learnt.mask(index)
        return RankedMask({name: layer.cpu() for name, layer in mask.items()}, ties=masks.ties(mask) or 0)

    def _result(self, index: int) -> TrainingResult:
        device = self.setting.device
        return TrainingResult(
            curve=self.curves[index],
            weights=self.stacked_model.weights(index),
            snapshots=self.snapshots[index],
            diverged_epoch=self.diverged[index],
            wall_s=self.walls[index],
            precision=self.setting.precision,
            device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
            resumed_from=self.resumed[index],
            stacked=len(self.jobs),
            mask=self._final_mask(index),
            best=self.best_of[index],
            mask_updates=self.updater.count if self.updater else None,
        )
