"""Trains in a plain loop, written the way published code is: `sanity.bench` measures ours against it.

Images through PIL one at a time in a DataLoader, single precision, the mask of every layer rebuilt from the weights and
multiplied at every step, and the host waiting for the device several times a step.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import transforms

from sanity import seeds
from sanity.data.dataset import Dataset
from sanity.masks import prunable
from sanity.recipes import Recipe
from sanity.training.batches import normalisation
from sanity.training.lr_schedule import rate


class Images(torch.utils.data.Dataset[tuple[Tensor, int]]):
    """Serves examples as torchvision's data sets do: an array, made a PIL image, then transformed."""

    def __init__(self, data: Dataset, transform: transforms.Compose) -> None:
        self.arrays = data.pixels.cpu().permute(0, 2, 3, 1).squeeze(3).contiguous().numpy()
        self.targets, self.transform = data.targets.tolist(), transform

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.arrays[index])), self.targets[index]


class ReferenceLoop:
    """Trains a copy of `model` (SGD), a dense one where `mask` is None."""

    def __init__(
        self,
        model: nn.Module,
        mask: Mapping[str, Tensor] | None,
        train: Dataset,
        recipe: Recipe,
        device: torch.device,
        seed: int = 0,
        workers: int = 0,
    ) -> None:
        self.model, self.recipe, self.device, self.epoch = copy.deepcopy(model).to(device), recipe, device, 0
        self.pruned = mask is not None
        for name, parameter in self.model.named_parameters():
            if mask is not None and name in mask:
                parameter.data.mul_(mask[name].to(device))
        options: dict[str, Any] = {
            "momentum": recipe.momentum,
            "nesterov": recipe.nesterov,
            "weight_decay": recipe.weight_decay,
        }
        self.optimizer = torch.optim.SGD(self.model.parameters(), recipe.lr, **options)
        mean, std = normalisation(train, recipe.normalise)
        height, width = train.examples.shape[2:]
        crop = [transforms.RandomCrop((height, width), padding=recipe.crop_padding)] if recipe.crop_padding else []
        flip = [transforms.RandomHorizontalFlip()] if recipe.flip else []
        last = [transforms.ToTensor(), transforms.Normalize(mean, std)]
        self.loader = DataLoader(
            Images(train, transforms.Compose([*crop, *flip, *last])),
            batch_size=recipe.batch_size,
            shuffle=True,
            num_workers=workers,
            drop_last=recipe.drop_last,
            generator=seeds.generator(seed, "reference"),
            pin_memory=device.type == "cuda",
            persistent_workers=workers > 0,
        )

    def steps(self) -> Iterator[float]:
        """Takes a step at every turn, epoch after epoch without end; gives each step's loss."""
        while True:
            self.model.train()
            for group in self.optimizer.param_groups:
                group["lr"] = rate(self.recipe, self.epoch)
            for images, targets in self.loader:
                yield self._step(images.to(self.device), targets.to(self.device))
            self.epoch += 1

    def _step(self, images: Tensor, targets: Tensor) -> float:
        logits = self.model(images)
        loss = F.cross_entropy(logits, targets)
        self.optimizer.zero_grad()
        loss.backward()
        if self.pruned:
            for weight in prunable(self.model).values():
                if weight.grad is not None:
                    mask = weight.data.abs().clone().gt(0).float()
                    weight.grad.data.mul_(mask)
        self.optimizer.step()
        hits = (logits.argmax(1) == targets).sum().item()
        assert hits <= len(targets)
        return loss.item()

    @torch.no_grad()
    def accuracy(self, test: Dataset) -> float:
        """Returns the percentage of `test`, normalised by the training set's statistics, that the model gets right."""
        self.model.eval()
        normalise = self.loader.dataset.transform.transforms[-1]  # type: ignore[attr-defined]
        hits = 0
        for examples, targets in zip(test.pixels.split(500), test.targets.split(500), strict=True):
            logits = self.model(normalise(examples.to(self.device) / 255))
            hits += int((logits.argmax(1) == targets.to(self.device)).sum())
        return 100 * hits / len(test)
