"""Reads images from their files on demand, decoded by threads ahead of the step that uses them."""

import hashlib
import json
import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import Tensor

from sanity.data.decoding import centre, check_size, crop, decoded, files_digest, pixels
from sanity.data.random_crops import RandomCrops
from sanity.errors import CannotWrite, UserError
from sanity.store.files import write_atomically

if TYPE_CHECKING:
    from sanity.data.gpu_decoding import GpuDecoder

Facts = TypeVar("Facts")
_IMAGES_A_TASK = 8
_AHEAD_BYTES = 1 << 30
"""The most that batches which were read ahead, and not asked for since, may take."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Batch:
    """Holds images that threads are decoding into `buffer` (n, C, H, W)."""

    buffer: Tensor
    tasks: Sequence[Future[None]]


class _Reader:
    """Decodes files into batches with one thread per core; shared by the `ImageFiles` of all devices."""

    def __init__(self, files: Sequence[Path], size: int | None, resize: int | None) -> None:
        self.files, self.size, self.resize = files, size, resize
        self.first = self._whole(files[0])
        height, width, channels = self.first.shape
        self.shape = (len(files), channels, height, width)
        self._ahead: OrderedDict[bytes, _Batch] = OrderedDict()
        self._lock = Lock()

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(os.cpu_count(), "decoding")

    def begin(self, positions: np.ndarray, pin: bool, crops: RandomCrops | None = None) -> None:
        """Starts to decode the images at `positions`, unless they are being decoded already.

        pin: decode into pinned memory, from which a GPU copies while it computes. crops: of each position.
        """
        key = _key(positions, crops)
        with self._lock:
            if key not in self._ahead:
                self._ahead[key] = self._start(positions, pin, crops)
                self._forget_oldest()

    def take(self, positions: np.ndarray, pin: bool, crops: RandomCrops | None = None) -> Tensor:
        """Waits for the images at `positions` and returns them. Raises `UserError` naming an undecodable one."""
        with self._lock:
            batch = self._ahead.pop(_key(positions, crops), None) or self._start(positions, pin, crops)
        for task in batch.tasks:
            task.result()
        return batch.buffer

    def _start(self, positions: np.ndarray, pin: bool, crops: RandomCrops | None) -> _Batch:
        buffer = torch.empty(len(positions), *self.shape[1:], dtype=torch.uint8, pin_memory=pin)
        parts = [slice(start, start + _IMAGES_A_TASK) for start in range(0, len(positions), _IMAGES_A_TASK)]
        of_parts = [None if crops is None else crops.at(part) for part in parts]
        work = zip(parts, of_parts, strict=True)
        return _Batch(buffer, [self._pool.submit(self._decode, positions[part], buffer[part], of) for part, of in work])

    def _decode(self, positions: np.ndarray, buffer: Tensor, crops: RandomCrops | None) -> None:
        for number, (image, position) in enumerate(zip(buffer.numpy(), positions.tolist(), strict=True)):
            file = self.files[position]
            array = self._whole(file) if crops is None else self._crop(file, crops.at(slice(number, number + 1)))
            check_size(file, array, self.files[0], self.first)
            image[:] = array.transpose(2, 0, 1)

    def _whole(self, file: Path) -> np.ndarray:
        if self.size is None or self.resize is None:
            return pixels(file, self.size)
        resize, size = self.resize, self.size
        return decoded(file, lambda image: centre(image, resize, size))

    def _crop(self, file: Path, crops: RandomCrops) -> np.ndarray:
        size = self.shape[2]
        return decoded(file, lambda image: crop(image, crops.boxes(image.height, image.width)[0].tolist(), size))

    def _forget_oldest(self) -> None:
        """Drops batches that were never fetched, such as the last ones of an interrupted epoch."""
        taken = sum(batch.buffer.numel() for batch in self._ahead.values())
        while taken > _AHEAD_BYTES and len(self._ahead) > 1:
            _, batch = self._ahead.popitem(last=False)
            taken -= batch.buffer.numel()
            for task in batch.tasks:
                task.cancel()


def _key(positions: np.ndarray, crops: RandomCrops | None) -> bytes:
    """Identifies a batch among those that are read ahead."""
    if crops is None:
        return positions.tobytes()
    return positions.tobytes() + crops.seeds.numpy().tobytes() + repr((crops.scale, crops.ratio)).encode()


class ImageFiles:
    """Implements `Examples` for image files: RGB, resized to `size` x `size` if `size` is set.

    resize: scale the shorter side to this many pixels instead, and keep the central `size` x `size`; random crops are
        then taken from the whole file.
    on_gpu: whether a GPU decodes what is fetched to it; needs `resize`.
    cache: the folder for results of passes over all images, such as their digest; None: they are computed anew.
    """

    def __init__(
        self,
        files: Sequence[Path],
        size: int | None,
        cache: Path | None,
        resize: int | None = None,
        on_gpu: bool = False,
    ) -> None:
        self._reader, self._cache, self._on_gpu = _Reader(files, size, resize), cache, on_gpu
        self._decoder: _Reader | GpuDecoder = self._reader
        self._sizes = f"{size} of {resize}{' on a GPU' * on_gpu}"
        self._digest = files_digest(files, size if resize is None else self._sizes)
        self.device = torch.device("cpu")

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, 3, H, W)."""
        return self._reader.shape

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def _pin(self) -> bool:
        return self.device.type == "cuda"

    def fetch(self, indices: Tensor) -> Tensor:
        """Returns the images at `indices`; repeated indices are decoded once."""
        positions, back = np.unique(indices.cpu().numpy(), return_inverse=True)
        images = self._decoder.take(positions, self._pin).to(self.device, non_blocking=True)
        return images.index_select(0, torch.from_numpy(back).to(self.device))

    def prefetch(self, indices: Tensor) -> None:
        """Starts to decode the images at `indices`."""
        self._decoder.begin(np.unique(indices.cpu().numpy()), self._pin)

    @property
    def croppable(self) -> bool:
        """Whether random crops are taken from the whole files."""
        return self._reader.resize is not None

    def fetch_crops(self, indices: Tensor, crops: RandomCrops) -> Tensor:
        """Returns a random crop of each file at `indices`; no two of the same file are alike."""
        images = self._decoder.take(indices.cpu().numpy(), self._pin, crops)
        return images.to(self.device, non_blocking=True)

    def prefetch_crops(self, indices: Tensor, crops: RandomCrops) -> None:
        """Starts to decode the crops."""
        self._decoder.begin(indices.cpu().numpy(), self._pin, crops)

    def contents(self, indices: Tensor) -> Iterator[bytes]:
        """Yields the content of each file, after the sizes that its image is made with."""
        yield self._sizes.encode()
        for position in indices.tolist():
            yield hashlib.sha256(self._reader.files[position].read_bytes()).digest()

    def to(self, device: torch.device | str) -> "ImageFiles":
        """Returns the same images for `device`, read by the same threads."""
        if torch.device(device) == self.device:
            return self
        moved = object.__new__(ImageFiles)
        moved.__dict__ = {**self.__dict__, "device": torch.device(device), "_decoder": self._decoder_for(device)}
        return moved

    def _decoder_for(self, device: torch.device | str) -> "_Reader | GpuDecoder":
        reader = self._reader
        if not self._on_gpu or torch.device(device).type != "cuda" or reader.size is None or reader.resize is None:
            return reader
        try:
            from sanity.data.gpu_decoding import GpuDecoder  # not in every torchvision
        except ImportError as error:
            raise UserError(f"dataset.decode=gpu: this version of torchvision has no such decoder ({error})") from None
        return GpuDecoder(reader.files, reader.size, reader.resize, torch.device(device), reader.take)

    def remembered(self, name: str, compute: Callable[[], Facts]) -> Facts:
        """Returns the result of `compute`, cached in the cache folder under a digest of the files."""
        if self._cache is None:
            return compute()
        key = hashlib.sha256(f"{self._digest} {name}".encode()).hexdigest()
        path = self._cache / f"{key}.json"
        with suppress(OSError, ValueError, KeyError, TypeError):  # the cache file is damaged or missing
            facts: Facts = json.loads(path.read_bytes())[name]
            return facts
        log.info("reading %d images once: %s", len(self), name.partition(" ")[0])
        facts = compute()
        with suppress(CannotWrite):  # without a cache file the next run computes it again
            write_atomically(path, json.dumps({name: facts}))
        return facts
