"""Data sets of one's own: what cannot be trained on is said in one line before anything is trained."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sanity.data.dataset import load
from sanity.data.source import Source, Split
from sanity.errors import UserError

X = torch.randint(256, (20, 1, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
Y = torch.arange(20) % 5


def source(read: Callable[..., Any], **attributes: Any) -> str:
    """The name of a data set whose class reads what `read` gives."""
    namespace = {"read": lambda self, data_dir: read(), "__doc__": "Of the tests.", **attributes}
    globals()["Own"] = make_dataclass("Own", [], bases=(Source,), namespace=namespace, frozen=True)
    return f"{__name__}:Own"


@pytest.fixture(autouse=True)
def no_class_is_left() -> Iterator[None]:
    yield
    globals().pop("Own", None)


@pytest.mark.parametrize(
    ("train", "test", "words"),
    [
        ((X, Y + 1), (X, Y + 1), "training targets run from 1 to 5; 0 to 4 are wanted"),
        ((X, Y - 1), (X, Y - 1), "training targets run from -1 to 3; 0 to 4"),
        ((X, Y), (X, Y + 1), "test targets run from 1 to 5; 0 to 4"),
        ((X, Y[:, None]), (X, Y), r"training targets are int64 \(20, 1\); whole numbers \(N,\)"),
        ((X, Y.float()), (X, Y), r"training targets are float32 \(20,\); whole numbers"),
        ((X, Y.tolist()), (X, Y), "training targets are of type list; whole numbers"),
        ((X / 255, Y), (X / 255, Y), r"training examples are float32 \(20, 1, 4, 4\); uint8"),
        ((X[:, 0], Y), (X[:, 0], Y), r"training examples are uint8 \(20, 4, 4\); uint8 \(N, C, H, W\)"),
        ((X, Y), (X, Y[:7]), "test split has 20 examples and 7 targets"),
        ((X, Y), (X[:0], Y[:0]), "test split is empty"),
        ((X[:0], Y[:0]), (X, Y), "training split is empty"),
        ((X, Y), (X[..., :3], Y), "training and test examples differ in shape .1x4x4 and 1x4x3"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_trained_on_is_named(train: Any, test: Any, words: str) -> None:
    name = source(lambda: (Split(*train), Split(*test), 5))
    with pytest.raises(UserError, match=words) as error:
        load(name)
    assert str(error.value).startswith(f"dataset {name}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int16, torch.uint8, torch.uint16])
def test_whole_numbers_of_any_width_are_taken(dtype: torch.dtype) -> None:
    train, test = load(source(lambda: (Split(X, Y.to(dtype)), Split(X, Y.to(dtype)), 5)))
    assert train.targets.dtype == test.targets.dtype == torch.int64
    assert torch.equal(train.targets, Y)


def test_arrays_are_taken() -> None:
    train, _ = load(source(lambda: ((X.numpy(), Y.numpy()), (X.numpy(), Y.numpy().astype(np.int32)), 5)))
    assert torch.equal(train.pixels, X)


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (lambda: 3, r"read\(\) gives int, not \(Split, Split, number of classes\)"),
        (lambda: (X, Y), r"read\(\) gives tuple, not \(Split"),
        (lambda: ((X, Y), (X, Y), 1), "classes=1; a whole number of at least 2"),
        (lambda: ((X, Y), (X, Y), "5"), "classes='5'; a whole number"),
        (lambda: dict[str, int]()["key"], "its class Own raises KeyError: 'key'"),
        (lambda: Path("/nowhere/at/all").read_bytes(), "/nowhere/at/all: No such file or directory"),
    ],
)
def test_a_class_that_reads_something_else_is_named(read: Callable[[], Any], words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        load(source(read))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("constants", "words"),
    [
        ({"mean": (0.1, 0.2), "std": (1.0, 1.0)}, "need a number for each of the 1 channels"),
        ({"mean": (0.1,)}, "only one of mean and std"),
        ({"mean": (0.1,), "std": (0.0,)}, "must be above 0"),
    ],
)
def test_constants_that_do_not_fit_are_named(constants: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        load(source(lambda: ((X, Y), (X, Y), 5), **constants))


@dataclass(frozen=True)
class Unfinished(Source):
    """Has no read()."""


@dataclass(frozen=True)
class Refuses(Source):
    """Cannot be made."""

    def __post_init__(self) -> None:
        raise RuntimeError("not today")

    def read(self, data_dir: Path) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (f"{__name__}:Unfinished", "abstract"),
        (f"{__name__}:Refuses", "cannot be made: not today"),
        ("builtins:int", r"is no class that derives from sanity\.data\.source\.Source"),
    ],
)
def test_what_is_no_data_set_is_named(name: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        load(name)


@pytest.mark.parametrize("folder", ["~nosuchuser/images", "a" * 3000])
@pytest.mark.parametrize("name", ["imagefolder", "mnist", "tiny_imagenet"])
def test_a_folder_that_cannot_be_is_named(name: str, folder: str) -> None:
    with pytest.raises(UserError, match=r"no home directory for ~nosuchuser|File name too long"):
        load(name, folder, download=False) if name == "mnist" else load(name, folder)
