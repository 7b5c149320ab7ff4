"""Decodes JPEGs on a GPU by torchvision's nvJPEG decoder, and frames and crops them there.

No machine with a GPU has run this: it follows torchvision's documentation, and its tests put the CPU's decoder in place
of the GPU's.
"""

import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchvision.io import ImageReadMode, decode_jpeg
from torchvision.transforms.v2 import functional

from sanity.data.random_crops import RandomCrops

_BATCHES_AHEAD = 8
Take = Callable[[np.ndarray, bool, RandomCrops | None], Tensor]


class GpuDecoder:
    """Reads files in threads ahead of their use, and decodes batches of them on `device`.

    size, resize: see `sanity.data.image_files.ImageFiles`. by_cpu: decodes a batch on the CPU, for files that the GPU's
    decoder does not take: other formats, and JPEGs of rare kinds.
    """

    def __init__(self, files: Sequence[Path], size: int, resize: int, device: torch.device, by_cpu: Take) -> None:
        self._files, self._size, self._resize, self._device, self._by_cpu = files, size, resize, device, by_cpu
        self._ahead: OrderedDict[bytes, list[Future[bytes]]] = OrderedDict()

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(os.cpu_count(), "reading")

    def begin(self, positions: np.ndarray, pin: bool, crops: RandomCrops | None = None) -> None:
        """Starts to read the files at `positions`; their crops are made when they are taken."""
        if positions.tobytes() not in self._ahead:
            self._ahead[positions.tobytes()] = self._read(positions)
            while len(self._ahead) > _BATCHES_AHEAD:
                for task in self._ahead.popitem(last=False)[1]:
                    task.cancel()

    def take(self, positions: np.ndarray, pin: bool, crops: RandomCrops | None = None) -> Tensor:
        """Returns the images at `positions`, or their crops: (n, 3, size, size) uint8 on the GPU."""
        tasks = self._ahead.pop(positions.tobytes(), None) or self._read(positions)
        images = decode([task.result() for task in tasks], self._device)
        result = torch.empty(len(positions), 3, self._size, self._size, dtype=torch.uint8, device=self._device)
        for number, image in enumerate(images):
            place = slice(number, number + 1)
            of_image = None if crops is None else crops.at(place)
            if image is None:
                result[place] = self._by_cpu(positions[place], False, of_image).to(self._device)
            else:
                result[number] = self._framed(image, of_image)
        return result

    def _framed(self, image: Tensor, crops: RandomCrops | None) -> Tensor:
        size, resize = self._size, self._resize
        if crops is not None:
            box = crops.boxes(*image.shape[1:])[0].tolist()
            return functional.resized_crop(image, *box, [size, size], antialias=True)
        return functional.center_crop(functional.resize(image, [resize], antialias=True), [size, size])

    def _read(self, positions: np.ndarray) -> list[Future[bytes]]:
        return [self._pool.submit(self._files[position].read_bytes) for position in positions.tolist()]


def decode(contents: Sequence[bytes], device: torch.device) -> list[Tensor | None]:
    """Decodes files to (3, H, W) uint8 RGB on `device`; None for one that the decoder does not take."""
    encoded = [torch.frombuffer(bytearray(content), dtype=torch.uint8) for content in contents]
    try:
        return list(decode_jpeg(encoded, mode=ImageReadMode.RGB, device=device))
    except RuntimeError:  # it does not say which one
        return [None] if len(contents) == 1 else [decode([content], device)[0] for content in contents]
