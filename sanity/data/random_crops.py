"""Draws the boxes of random resized crops from one number per image, the same on every device and in every thread."""

from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

_ATTEMPTS = 10
Pair = tuple[float, float]


@dataclass(frozen=True)
class RandomCrops:
    """Holds what determines the crops of a batch: a number of each image's own, and how large crops are.

    seeds: (n,) int64, from 0. scale: the least and the largest share of an image's area. ratio: of width to height.
    """

    seeds: Tensor
    scale: Pair
    ratio: Pair

    def at(self, index: slice | Tensor) -> "RandomCrops":
        """Returns the crops of the images at `index` of the batch."""
        return RandomCrops(self.seeds[index], self.scale, self.ratio)

    def boxes(self, height: int, width: int) -> Tensor:
        """Returns top, left, height and width of the crops in images of one size: (n, 4) int64.

        As torchvision's RandomResizedCrop draws them: ten times a share of the area and a logarithm of the ratio, each
        evenly; the first box that fits into the image counts, at an even place; if none fits, the largest one in the
        middle whose ratio is allowed.
        """
        draws = _uniform(self.seeds, 2 * _ATTEMPTS + 2)
        area = height * width * (self.scale[0] + (self.scale[1] - self.scale[0]) * draws[:_ATTEMPTS])
        low, high = log(self.ratio[0]), log(self.ratio[1])
        ratio = (low + (high - low) * draws[_ATTEMPTS:-2]).exp()
        widths, heights = ((area * ratio).sqrt().round(), (area / ratio).sqrt().round())
        fits = (widths > 0) & (widths <= width) & (heights > 0) & (heights <= height)
        first = fits.to(torch.uint8).argmax(0, keepdim=True)
        is_drawn = fits.any(0)
        fallback_height, fallback_width = self._largest(height, width)
        rows = torch.where(is_drawn, heights.gather(0, first)[0], float(fallback_height))
        columns = torch.where(is_drawn, widths.gather(0, first)[0], float(fallback_width))
        top = torch.where(is_drawn, (draws[-2] * (height - rows + 1)).floor(), ((height - rows) / 2).floor())
        left = torch.where(is_drawn, (draws[-1] * (width - columns + 1)).floor(), ((width - columns) / 2).floor())
        return torch.stack([top, left, rows, columns], 1).long()

    def _largest(self, height: int, width: int) -> tuple[int, int]:
        """Returns height and width of the largest box with the image's ratio, or the nearest that is allowed."""
        if width / height < self.ratio[0]:
            return round(width / self.ratio[0]), width
        if width / height > self.ratio[1]:
            return height, round(height * self.ratio[1])
        return height, width


def _uniform(seeds: Tensor, count: int) -> Tensor:
    """Returns the first `count` pseudo-random numbers of each seed: (count, n) float64 in [0, 1).

    A counter-based generator (the finaliser of SplitMix64, Steele et al. 2014), so that it needs no state and a whole
    epoch is drawn at once. int64 products wrap around alike on all devices.
    """
    counters = torch.arange(1, count + 1, device=seeds.device) * _signed(0x9E3779B97F4A7C15)
    bits = seeds + counters[:, None]
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        bits = (bits ^ ((bits >> shift) & ((1 << (64 - shift)) - 1))) * _signed(factor)
    return ((bits >> 11) & ((1 << 53) - 1)).double() / (1 << 53)


def _signed(number: int) -> int:
    """Returns the int64 of the same 64 bits."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def resized(images: Tensor, boxes: Tensor) -> Tensor:
    """Returns each image's box, resized to the size of the images: (n, C, H, W) uint8, from equal sizes.

    Bilinear with antialiasing, as torchvision resizes: a weighted mean over the pixels of a row, then of a column, so
    that a batch of different boxes is two products of matrices.
    """
    height, width = images.shape[2:]
    rows, columns = _weights(boxes[:, 0], boxes[:, 2], height), _weights(boxes[:, 1], boxes[:, 3], width)
    means = rows[:, None] @ images.float() @ columns.transpose(1, 2)[:, None]
    return means.round_().clamp_(0, 255).to(torch.uint8)


def _weights(start: Tensor, length: Tensor, size: int) -> Tensor:
    """Returns the weights (n, size, size) of the pixels along one side in the pixels of the resized part of it."""
    place = torch.arange(size, device=start.device, dtype=torch.float32)
    scale = (length / size).float()[:, None, None]
    centre = (place[:, None] + 0.5) * scale
    distance = (place - start[:, None, None] + 0.5 - centre) / scale.clamp(min=1)
    inside = (place >= start[:, None, None]) & (place < (start + length)[:, None, None])
    weights = (1 - distance.abs()).clamp_(min=0) * inside
    return weights / weights.sum(2, keepdim=True)
