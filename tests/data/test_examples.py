"""Images that stay in their files, and views of images, are what the same images in memory are."""

from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

import checks
from checks.random_pixels import PermutedPixels
from sanity import models
from sanity.data import decoding, image_files
from sanity.data.dataset import Dataset, load
from sanity.data.examples import Selected, View
from sanity.data.image_files import ImageFiles
from sanity.errors import UserError
from sanity.recipes import Recipe
from sanity.run import run
from sanity.seeds import generator
from sanity.training.batches import BatchBuilder, draw_epoch, normalisation
from sanity.training.compute import Compute
from sanity.training.job import TrainingSpec
from sanity.training.loop import train

CLASSES, EACH = 3, 9


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """9 training and 4 test images of each of three classes, noise around a colour of the class's."""
    root = tmp_path_factory.mktemp("images")
    random = np.random.RandomState(0)
    for split, count in (("train", EACH), ("test", 4)):
        for label in range(CLASSES):
            for number in range(count):
                noise = random.randint(0, 150, size=(8, 8, 3))
                noise[:, :, label] += 100
                path = root / split / f"class {label}" / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(noise.astype(np.uint8)).save(path)
    return root


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def both(folder: Path) -> tuple[Dataset, Dataset]:
    """The training set in memory, and the same left in its files."""
    return load("imagefolder", folder)[0], load("imagefolder", folder, in_memory=False)[0]


indices = st.lists(st.integers(0, CLASSES * EACH - 1), min_size=1, max_size=40).map(torch.tensor)


@given(asked=st.lists(st.tuples(st.booleans(), indices), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_files_give_the_pixels_of_memory(both: tuple[Dataset, Dataset], asked: list[tuple[bool, Tensor]]) -> None:
    """Whatever was read ahead, and whether it is asked for in the end."""
    memory, files = both
    for ahead, index in asked:
        if ahead:
            files.examples.prefetch(index)  # type: ignore[union-attr]
    for _, index in reversed(asked):
        assert torch.equal(files.fetch(index), memory.fetch(index))


def test_files_have_the_digest_and_the_statistics_of_memory(folder: Path) -> None:
    for options in ({}, {"limit": 10}, {"size": 5}):
        for memory, files in zip(
            load("imagefolder", folder, **options), load("imagefolder", folder, in_memory=False, **options), strict=True
        ):
            assert memory.in_memory
            assert not files.in_memory
            assert files.input_shape == memory.input_shape
            assert (files.mean, files.std) == (memory.mean, memory.std)
            assert torch.equal(files.targets, memory.targets)
            assert files.digest == memory.digest
            for normalise in ("pixel_std", "per_image_std", "imagenet", "dataset"):
                assert normalisation(files, normalise) == normalisation(memory, normalise)


@given(index=indices, asked=st.lists(st.integers(0, 10**6), min_size=1, max_size=20).map(torch.tensor))
@settings(max_examples=40, deadline=None)
def test_a_selection_of_files_is_the_subset_in_memory(
    both: tuple[Dataset, Dataset], index: Tensor, asked: Tensor
) -> None:
    memory, files = (data.subset(index) for data in both)
    assert isinstance(files.examples, Selected)
    assert len(files) == len(files.examples) == len(index)
    assert torch.equal(files.fetch(asked % len(index)), memory.fetch(asked % len(index)))
    assert files.digest == memory.digest


@pytest.mark.parametrize(
    "check",
    ["random_labels", "half_dataset", "random_pixels", "random_pixels.together", "random_pixels.shared", "none"],
)
def test_what_a_check_does_to_files_it_does_to_memory(both: tuple[Dataset, Dataset], check: str) -> None:
    name, _, option = check.partition(".")
    options: dict[str, Any] = {"together": {"channels": "together"}, "shared": {"permutation": "shared"}}.get(
        option, {}
    )
    memory, files = (checks.get(name, **options).corrupt(data, generator(3, "check")) for data in both)
    assert not files.in_memory
    assert torch.equal(files.targets, memory.targets)
    assert files.digest == memory.digest
    order = torch.randperm(len(memory))
    assert torch.equal(files.fetch(order), memory.fetch(order))


@given(
    images=st.integers(1, 70),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)),
    mixed=st.booleans(),
    shared=st.booleans(),
    seed=st.integers(0, 9),
    asked=st.lists(st.integers(0, 10**6), min_size=1, max_size=9).map(torch.tensor),
)
@settings(max_examples=60, deadline=None)
def test_permuted_pixels_are_those_of_the_check_in_memory(
    images: int, shape: tuple[int, int, int], mixed: bool, shared: bool, seed: int, asked: Tensor
) -> None:
    pixels = torch.randint(256, (images, *shape), dtype=torch.uint8)
    data = Dataset(pixels, torch.arange(images) % 2, 2, (0.5,) * shape[0], (0.2,) * shape[0])
    options: dict[str, Any] = {
        "channels": "mixed" if mixed else "together",
        "permutation": "shared" if shared else "per_image",
    }
    expected = checks.get("random_pixels", **options).corrupt(data, generator(seed)).pixels
    view = PermutedPixels(pixels, mixed, shared, generator(seed))
    assert torch.equal(view.fetch(asked % images), expected[asked % images])
    assert torch.equal(view.fetch(torch.arange(images)), expected)


def test_labels_can_be_replaced_in_either(both: tuple[Dataset, Dataset]) -> None:
    digests = {replace(data, targets=data.targets.flip(0)).digest for data in both}
    assert len(digests) == 1
    assert digests != {both[0].digest}


@pytest.mark.parametrize("tickets", [1, 3])
def test_training_on_files_is_training_in_memory(folder: Path, tickets: int) -> None:
    recipe = Recipe(epochs=3, batch_size=8, lr=0.05, crop_padding=1, flip=True, holdout=0.2)
    outcomes = []
    for in_memory in (True, False):
        splits = load("imagefolder", folder, in_memory=in_memory)
        model = models.build("lenet_300_100", splits[0].input_shape, CLASSES, generator=generator(0))
        jobs = [TrainingSpec(model, None, seed=seed) for seed in range(tickets)]
        results = train(jobs, *splits, recipe, Compute("cpu", "fp32", deterministic=tickets == 1))
        outcomes.append([(result.curve, result.weights) for result in results])
    for (curve, weights), (other_curve, other_weights) in zip(*outcomes, strict=True):
        assert curve == other_curve
        assert all(torch.equal(weight, other_weights[name]) for name, weight in weights.items())


def test_a_grid_on_files_is_the_grid_in_memory(folder: Path, tmp_path: Path) -> None:
    frames = []
    for in_memory in (True, False):
        keys: dict[str, Any] = {"methods": "snip,magnitude", "snip.examples_per_class": 2, "ratio": 0.8, "seeds": 0}
        keys |= {"checks": "random_labels+random_pixels,half_dataset", "dataset": "imagefolder", "data_dir": folder}
        keys |= {"model": "lenet_300_100", "recipe.epochs": 1, "recipe.batch_size": 8, "recipe.holdout": 0.2}
        keys |= {"dataset.in_memory": in_memory, "results_dir": tmp_path / str(in_memory), "device": "cpu"}
        keys |= {"precision": "fp32", "recipe.normalise": "per_image_std"}
        frames.append(run(keys).sort_values("cell", ignore_index=True))
    assert len(frames[0]) == 6
    assert frames[0]["status"].tolist() == ["done"] * 6
    for column in ("cell", "training", "ticket", "data_digest", "last_test_accuracy", "best_test_accuracy"):
        assert frames[0][column].tolist() == frames[1][column].tolist()


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are decoded, as it happens."""
    files: list[Path] = []
    decode: Callable[..., np.ndarray] = decoding.pixels

    def noted(file: Path, size: int | None) -> np.ndarray:
        files.append(file)
        return decode(file, size)

    monkeypatch.setattr(image_files, "pixels", noted)
    return files


def test_a_pass_over_all_images_is_made_once(
    folder: Path, decoded: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    first = load("imagefolder", folder, in_memory=False)[0]
    digest, std = first.digest, normalisation(first, "per_image_std")[1]
    assert len(decoded) > 3 * len(first)
    decoded.clear()
    again = load("imagefolder", folder, in_memory=False)[0]
    assert (again.digest, normalisation(again, "per_image_std")[1]) == (digest, std)
    assert len(decoded) == 2, "the first image of each split, for its shape"
    for file in (folder / "cache" / "pruning-sanity").iterdir():
        file.write_text('{"dig')
    assert load("imagefolder", folder, in_memory=False)[0].digest == digest
    assert load("imagefolder", folder, in_memory=False, cache=False)[0].digest == digest


def test_the_next_batches_are_read_while_one_is_in_use(folder: Path, decoded: list[Path]) -> None:
    data = load("imagefolder", folder, in_memory=False)[0]
    recipe = Recipe(batch_size=6)
    builder, plan = BatchBuilder(data, recipe, data.mean, data.std), draw_epoch(0, 0, torch.arange(len(data)), recipe)
    assert isinstance(data.examples, ImageFiles)
    decoded.clear()
    builder.train(plan, slice(0, 6))
    for batch in data.examples._reader._ahead.values():
        wait(batch.tasks)
    assert len(decoded) == 18, "the first batch and the two after it"
    for start in range(6, len(data), 6):
        builder.train(plan, slice(start, start + 6))
    assert sorted(decoded) == sorted(data.examples._reader.files), "every image once"


def test_what_nobody_asks_for_is_dropped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_files, "_AHEAD_BYTES", 5 * 3 * 8 * 8)
    data = load("imagefolder", folder, in_memory=False)[0]
    assert isinstance(data.examples, ImageFiles)
    for start in range(20):
        data.examples.prefetch(torch.arange(start, start + 3))
    assert len(data.examples._reader._ahead) <= 2
    assert torch.equal(data.fetch(torch.arange(3)), load("imagefolder", folder)[0].pixels[:3])


def test_an_image_that_cannot_be_read_is_named(folder: Path, tmp_path: Path) -> None:
    data = load("imagefolder", folder, in_memory=False)[0]
    assert isinstance(data.examples, ImageFiles)
    file = data.examples._reader.files[5]
    content = file.read_bytes()
    try:
        file.write_bytes(content[:40])
        with pytest.raises(UserError, match=r"\.png: unreadable image"):
            data.fetch(torch.tensor([5]))
        with pytest.raises(UserError, match=r"\.png: unreadable image"):
            load("imagefolder", folder, in_memory=False)
        Image.new("RGB", (9, 9)).save(file)
        with pytest.raises(UserError, match=r"differ in size \(9x9 and 8x8\)"):
            load("imagefolder", folder, in_memory=False)
    finally:
        file.write_bytes(content)


def test_who_needs_all_images_at_once_is_told(both: tuple[Dataset, Dataset]) -> None:
    with pytest.raises(UserError, match=r"set dataset\.in_memory=true"):
        _ = both[1].pixels
    assert torch.equal(both[0].pixels, both[0].fetch(torch.arange(len(both[0]))))


def test_images_of_ones_own_that_are_computed_are_a_data_set() -> None:
    class Inverted(View):
        """Negatives of a tensor."""

        def fetch(self, indices: Tensor) -> Tensor:
            return 255 - super().fetch(indices)

    images = torch.randint(256, (10, 1, 2, 2), dtype=torch.uint8)
    targets = torch.arange(10) % 2
    lazy, eager = (Dataset(part, targets, 2, (0.5,), (0.2,)) for part in (Inverted(images), 255 - images))
    assert lazy.digest == eager.digest
    assert torch.equal(lazy.subset(torch.tensor([3, 1])).fetch(torch.tensor([1])), eager.pixels[1:2])
    assert lazy.to("cpu") is lazy


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_files_are_fetched_to_the_gpu(both: tuple[Dataset, Dataset]) -> None:
    files = both[1].to("cuda")
    assert files.targets.device.type == "cuda"
    index = torch.tensor([3, 3, 0], device="cuda")
    assert files.fetch(index).device.type == "cuda"
    assert torch.equal(files.fetch(index).cpu(), both[0].fetch(index.cpu()))
