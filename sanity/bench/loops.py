"""Makes the loops that `sanity.bench` compares: the plain one, ours, and ours reduced to the bare step."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sanity import models, recipes, seeds
from sanity.bench.options import Bench
from sanity.bench.plain_loop import ReferenceLoop
from sanity.data.dataset import Dataset
from sanity.masks import prunable
from sanity.training.checkpoint import Checkpoint
from sanity.training.cuda_graph import capture
from sanity.training.job import TrainingSpec
from sanity.training.memory_format import memory_format
from sanity.training.optimizer import drop_gradients
from sanity.training.precision import numerics
from sanity.training.setting import Setting
from sanity.training.stacked_linear import why_not_stacked
from sanity.training.trainer import Trainer

REFERENCE, OURS, BARE = "reference loop", "ours", "bare step"


@dataclass
class Contender:
    """Holds one loop: `step` takes a step of all its `tickets`; the host may run ahead of the device."""

    name: str
    step: Callable[[], object]
    tickets: int = 1
    precision: str = "fp32"


class BareTrainer(Trainer):
    """Takes forward, backward and optimizer step on one batch that stays: the floor of what a step can cost.

    What an epoch's beginning costs, its order above all, is in it too.
    """

    batch: tuple[Tensor, Tensor] | None = None

    def step(self, columns: slice | Tensor) -> None:
        """Takes the same step whatever the columns."""
        if self.batch is None:
            self.batch = self.batches.train(self.plan, slice(0, self.setting.recipe.batch_size))
        images, targets = self.batch
        losses = F.cross_entropy(self._forward(images), targets, reduction="none").view(len(self.jobs), -1)
        losses.mean(1).sum().backward()
        self.stacked_model.optimizer.step()
        drop_gradients(self.stacked_model.optimizer)


def contenders(bench: Bench, device: torch.device, precision: str) -> Iterator[Contender]:
    """Makes all loops of the benchmark, ready to step."""
    data = _random_images(bench).to(device)
    recipe = recipes.get(
        "su2020", batch_size=bench.batch, crop_padding=4 * bench.augment, flip=bench.augment, normalise="dataset"
    )
    jobs = [_job(bench, seed) for seed in range(bench.tickets)]
    if bench.reference:
        loop = ReferenceLoop(jobs[0].model, jobs[0].mask, data, recipe, device, workers=bench.workers).steps()
        yield Contender(REFERENCE, lambda: next(loop))
    for kind in dict.fromkeys(("fp32", precision)):
        setting = Setting(data, data, recipe, device, kind, memory_format(jobs[0].model, bench.shape, device))
        for tickets in dict.fromkeys((1, bench.tickets)):
            for name, trainer_type in ((OURS, Trainer), (BARE, BareTrainer)):
                with numerics(device, kind, deterministic=False):
                    trainers = _trainers(jobs[:tickets], setting, trainer_type)
                yield Contender(name, _in_turn(trainers), tickets, kind)


def _random_images(bench: Bench) -> Dataset:
    generator, count = seeds.generator(0, "bench"), 40 * bench.batch
    images = torch.randint(256, (count, *bench.shape), dtype=torch.uint8, generator=generator)
    targets = torch.randint(bench.classes, (count,), generator=generator)
    channels = bench.shape[0]
    return Dataset(images, targets, bench.classes, (0.5,) * channels, (0.29,) * channels, "random")


def _job(bench: Bench, seed: int) -> TrainingSpec:
    generator = seeds.generator(seed, "bench")
    model = models.build(bench.model, bench.shape, bench.classes, generator=generator)
    mask = {
        name: torch.rand(weight.shape, generator=generator) < bench.density for name, weight in prunable(model).items()
    }
    return TrainingSpec(model, mask if bench.density < 1 else None, seed)


def _trainers(jobs: Sequence[TrainingSpec], setting: Setting, trainer_type: type[Trainer]) -> list[Trainer]:
    """Makes one stack where the network allows it, else a trainer each; on a GPU with captured steps."""
    images, _ = setting.batches[0].test(slice(64))
    groups = [[job] for job in jobs] if why_not_stacked(jobs[0].model, images) else [jobs]
    trainers = [trainer_type(group, setting, [""] * len(group), [Checkpoint()] * len(group)) for group in groups]
    for trainer in trainers:
        if setting.device.type == "cuda":
            capture(trainer)
        with trainer.current():
            trainer.begin_epoch()
    return trainers


def _in_turn(trainers: Sequence[Trainer]) -> Callable[[], None]:
    """Makes a function that takes a step of each trainer, epoch after epoch."""

    def step() -> None:
        for trainer in trainers:
            with trainer.current():
                if trainer.taken == trainer.steps:
                    trainer.taken = 0
                    trainer.begin_epoch()
                trainer.take_step()

    return step
