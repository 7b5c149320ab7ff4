"""Data sets that a plain function returns: pairs of arrays, data sets of torchvision's kind, and what is neither."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.datasets import FakeData
from torchvision.transforms import ToTensor

from sanity.data.dataset import load
from sanity.errors import UserError

BYTES = np.random.default_rng(0).integers(0, 256, (12, 6, 5, 3)).astype(np.uint8)
CLASSES = np.arange(12) % 3
HERE = __name__
WANTED = torch.from_numpy(BYTES).permute(0, 3, 1, 2)


class Items:
    """As torchvision's data sets, with PIL's images."""

    def __init__(self, transform: Any = lambda image: image) -> None:
        self.transform = transform

    def __len__(self) -> int:
        return len(BYTES)

    def __getitem__(self, number: int) -> tuple[Any, int]:
        return self.transform(Image.fromarray(BYTES[number])), int(CLASSES[number])


def arrays() -> Any:
    return (BYTES, CLASSES), (BYTES, CLASSES)


def tensors_of_floats() -> Any:
    pair = WANTED.float() / 255, torch.from_numpy(CLASSES)
    return pair, pair, 3


def pictures() -> Any:
    return Items(), Items()


def transformed() -> Any:
    return Items(ToTensor()), Items(ToTensor())


@pytest.mark.parametrize("function", [arrays, tensors_of_floats, pictures, transformed])
def test_every_form_of_the_same_images_is_the_same_data_set(function: Any, tmp_path: Path) -> None:
    for split in load(f"{HERE}:{function.__name__}", tmp_path):
        assert torch.equal(split.pixels, WANTED)
        assert split.targets.tolist() == CLASSES.tolist()
        assert split.classes == 3


def grey(data_dir: Path) -> Any:
    assert data_dir.is_dir()
    pair = BYTES[..., 0], CLASSES
    return pair, pair


def test_grey_images_get_a_channel_and_the_function_its_folder(tmp_path: Path) -> None:
    train, _ = load(f"{HERE}:grey", tmp_path, limit=6)
    assert train.input_shape == (1, 6, 5)
    assert len(train) == 6


def of_torchvision() -> Any:
    return tuple(FakeData(8, (3, 4, 4), 2, ToTensor()) for _ in range(2))


def test_a_data_set_of_torchvision_is_read(tmp_path: Path) -> None:
    train, test = load(f"{HERE}:of_torchvision", tmp_path)
    assert train.input_shape == (3, 4, 4)
    assert torch.equal(train.pixels, test.pixels)


def normalised() -> Any:
    pair: tuple[Tensor, np.ndarray] = (WANTED.float() - 128, CLASSES)
    return pair, pair


def of_one_split() -> Any:
    return BYTES


def of_words() -> Any:
    return "train", "test"


def that_breaks() -> Any:
    raise OSError("no such share")


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (normalised, "the training images are float32 (12, 3, 6, 5); uint8 from 0 to 255"),
        (of_one_split, "returns uint8 (12, 6, 5, 3); (train, test) or"),
        (of_words, "the training split is of type str"),
        (that_breaks, "OSError: no such share"),
    ],
)
def test_what_is_none_is_one_sentence(function: Any, says: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load(f"{HERE}:{function.__name__}", tmp_path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
