"""Photographs of any size, in their files: framed and cropped as torchvision does, the same however they are read."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import stats
from torch import Tensor
from torchvision.io import decode_jpeg
from torchvision.transforms import CenterCrop, Compose, RandomResizedCrop, Resize
from torchvision.transforms import functional as of_pillow
from torchvision.transforms.v2 import functional as of_tensors

import checks
from sanity import models
from sanity.data import gpu_decoding
from sanity.data.dataset import Dataset, load
from sanity.data.examples import fetch_crops, is_croppable, prefetch_crops
from sanity.data.gpu_decoding import GpuDecoder
from sanity.data.image_files import ImageFiles
from sanity.data.random_crops import RandomCrops, _uniform, resized
from sanity.errors import UserError
from sanity.recipes import Recipe
from sanity.run import run
from sanity.seeds import generator
from sanity.training.batches import BatchBuilder, draw_epoch
from sanity.training.compute import Compute
from sanity.training.job import TrainingSpec
from sanity.training.loop import train

SCALE, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)
SMALL: dict[str, Any] = {"size": 16, "resize": 20}
WNIDS = ("n01440764", "n02102040", "n03000684")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """JPEGs of many sizes in the layout of ImageNet: 5 training and 3 validation images of each of three classes."""
    random, folder = np.random.RandomState(0), tmp_path_factory.mktemp("data") / "imagenet"
    for split, count in (("train", 5), ("val", 3)):
        for label, wnid in enumerate(WNIDS):
            for number in range(count):
                height, width = random.randint(20, 60, size=2)
                noise = random.randint(0, 150, size=(height, width, 3))
                noise[:, :, label] += 100
                path = folder / split / wnid / f"{wnid}_{number}.JPEG"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(noise.astype(np.uint8)).save(path, quality=90)
    return folder.parent


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def pillow(file: Path) -> Image.Image:
    return Image.open(file).convert("RGB")


def files(data: Dataset) -> list[Path]:
    assert isinstance(data.examples, ImageFiles)
    return list(data.examples._reader.files)


def crops(count: int, seed: int = 0) -> RandomCrops:
    return RandomCrops(torch.randint(2**62, (count,), generator=generator(seed)), SCALE, RATIO)


def test_without_random_crops_a_photograph_is_torchvisions_centre(root: Path) -> None:
    whole = Compose([Resize(20), CenterCrop(16)])
    for data in load("imagenet", root, **SMALL):
        assert data.input_shape == (3, 16, 16)
        assert (data.mean, data.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        expected = torch.stack([of_pillow.pil_to_tensor(whole(pillow(file))) for file in files(data)])
        assert torch.equal(data.fetch(torch.arange(len(data))), expected)
    assert [len(part) for part in load("imagenet", root, **SMALL)] == [15, 9]


def test_a_random_crop_is_torchvisions_of_the_whole_file(root: Path) -> None:
    data = load("imagenet", root, **SMALL)[0]
    index, drawn = torch.tensor([3, 0, 3, 14]), crops(4)
    prefetch_crops(data.examples, index, drawn)
    images = fetch_crops(data.examples, index, drawn)
    for image, number, position in zip(images, range(4), index.tolist(), strict=True):
        photograph = pillow(files(data)[position])
        box = drawn.at(slice(number, number + 1)).boxes(photograph.height, photograph.width)[0].tolist()
        expected = of_pillow.resized_crop(photograph, *box, [16, 16])
        assert torch.equal(image, of_pillow.pil_to_tensor(expected))
    assert not torch.equal(images[0], images[2]), "two crops of one file"


@given(
    seeds=st.lists(st.integers(0, 2**62 - 1), min_size=1, max_size=5),
    height=st.integers(1, 700),
    width=st.integers(1, 700),
    low=st.floats(0.01, 1),
)
@settings(max_examples=100, deadline=None)
def test_a_crop_lies_within_its_image(seeds: list[int], height: int, width: int, low: float) -> None:
    drawn = RandomCrops(torch.tensor(seeds), (low, 1.0), RATIO)
    top, left, rows, columns = drawn.boxes(height, width).unbind(1)
    assert (torch.stack([top, left]) >= 0).all()
    assert (torch.stack([rows, columns]) >= 1).all()
    assert (top + rows <= height).all()
    assert (left + columns <= width).all()
    assert torch.equal(drawn.boxes(height, width)[-1:], drawn.at(slice(-1, None)).boxes(height, width))


def test_the_numbers_behind_the_crops_are_those_of_splitmix64() -> None:
    published = (6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431)
    drawn = _uniform(torch.tensor([1234567, 5]), 4)
    assert drawn[:, 0].tolist() == [(number >> 11) / 2**53 for number in published]


@pytest.mark.parametrize(("height", "width"), [(375, 500), (64, 64), (500, 90)])
def test_crops_have_the_distribution_of_torchvisions(height: int, width: int) -> None:
    ours, image = crops(4000).boxes(height, width), torch.empty(1, height, width)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = [RandomResizedCrop.get_params(image, list(SCALE), list(RATIO)) for _ in range(2000)]
    for column, other in zip(ours.T, torch.tensor(theirs).T, strict=True):
        assert stats.ks_2samp(column.numpy(), other.numpy()).pvalue > 1e-3


def test_crops_of_images_in_memory_are_torchvisions_within_a_grey_level() -> None:
    images = torch.randint(256, (12, 3, 24, 30), dtype=torch.uint8)
    boxes = crops(12).boxes(24, 30)
    theirs = [
        of_tensors.resized_crop(image, *box.tolist(), [24, 30], antialias=True)
        for image, box in zip(images, boxes, strict=True)
    ]
    assert (resized(images, boxes).int() - torch.stack(theirs).int()).abs().max() <= 1
    whole = torch.tensor([[0, 0, 24, 30]]).expand(12, 4)
    assert torch.equal(resized(images, whole), images)


def trained(splits: tuple[Dataset, Dataset], recipe: Recipe, tickets: int = 1) -> list[Any]:
    model = models.build("lenet_300_100", splits[0].input_shape, splits[0].classes, generator=generator(0))
    jobs = [TrainingSpec(model, None, seed=seed) for seed in range(tickets)]
    results = train(jobs, *splits, recipe, Compute("cpu", "fp32", deterministic=True))
    return [(result.curve, {name: weight.tolist() for name, weight in result.weights.items()}) for result in results]


RECIPE = Recipe(epochs=2, batch_size=4, lr=0.02, crop_scale=SCALE, flip=True)


def test_training_does_not_depend_on_the_number_of_workers(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = []
    for workers in (1, 3):
        monkeypatch.setattr(os, "cpu_count", lambda count=workers: count)
        outcomes.append(trained(load("imagenet", root, **SMALL), RECIPE, tickets=2))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] != outcomes[0][1], "another seed has other crops"
    assert trained(load("imagenet", root, **SMALL), replace(RECIPE, crop_scale=None)) != outcomes[0][:1]


def test_images_that_are_not_reframed_are_cropped_alike_in_memory_and_in_files(root: Path) -> None:
    folder = root / "imagenet"
    outcomes = [trained(load("imagefolder", folder, size=12, in_memory=held), RECIPE) for held in (True, False)]
    assert outcomes[0] == outcomes[1]


def test_the_crops_of_an_epoch_are_new_in_each_and_leave_its_order_as_it_is() -> None:
    indices = torch.arange(50)
    first, later = (draw_epoch(0, epoch, indices, RECIPE) for epoch in (0, 1))
    assert not torch.equal(first.crop, later.crop)
    plain = draw_epoch(0, 0, indices, replace(RECIPE, crop_scale=None))
    assert torch.equal(first.order, plain.order)
    assert torch.equal(first.flip, plain.flip)
    assert not plain.crop.any()


@pytest.mark.parametrize(
    ("check", "from_files"), [("half_dataset", True), ("random_labels", True), ("random_pixels", False)]
)
def test_checks_are_views_whose_crops_come_from_the_files_if_their_pixels_do(
    root: Path, check: str, from_files: bool
) -> None:
    data = load("imagenet", root, **SMALL)[0]
    seen = checks.get(check).corrupt(data, generator(1, "check"))
    assert is_croppable(seen.examples) == from_files
    index, drawn = torch.arange(5), crops(5)
    images = fetch_crops(seen.examples, index, drawn)
    if from_files:
        assert any(torch.equal(images[0], crop) for crop in all_crops(data, drawn.at(slice(0, 1))))
    else:
        assert torch.equal(images, resized(seen.fetch(index), drawn.boxes(16, 16)))
    assert seen.digest != data.digest


def all_crops(data: Dataset, drawn: RandomCrops) -> list[Tensor]:
    return [fetch_crops(data.examples, torch.tensor([position]), drawn)[0] for position in range(len(data))]


def test_batches_are_read_ahead_with_their_crops(root: Path) -> None:
    data = load("imagenet", root, **SMALL)[0]
    builder = BatchBuilder(data, RECIPE, data.mean, data.std)
    plan = draw_epoch(0, 0, torch.arange(15), RECIPE)
    builder.train(plan, slice(0, 4))
    assert isinstance(data.examples, ImageFiles)
    assert len(data.examples._reader._ahead) == 2
    for start in (4, 8, 12):
        builder.train(plan, slice(start, start + 4))
    assert len(data.examples._reader._ahead) == 0, "every batch that was read ahead was used"


def test_the_digest_covers_what_only_a_crop_shows_and_the_sizes(root: Path, tmp_path: Path) -> None:
    digests = {
        load("imagenet", root, **options)[0].digest for options in (SMALL, {**SMALL, "resize": 21}, {"size": 16})
    }
    data = load("imagenet", root, **SMALL)[0]
    file = files(data)[0]
    content = file.read_bytes()
    try:
        file.write_bytes(content + b"\0")  # the same picture
        digests.add(load("imagenet", root, **SMALL)[0].digest)
    finally:
        file.write_bytes(content)
    assert len(digests) == 4
    assert load("imagenet", root, **SMALL)[0].digest == data.digest


def test_a_grid_runs_on_photographs(root: Path, tmp_path: Path) -> None:
    keys: dict[str, Any] = {"dataset": "imagenet", "data_dir": root, "dataset.size": 16, "dataset.resize": 20}
    keys |= {"methods": "snip", "snip.examples_per_class": 2, "ratio": 0.8, "seeds": 0, "model": "lenet_300_100"}
    keys |= {"checks": "random_labels,random_pixels", "recipe": "goyal2017", "recipe.epochs": 1}
    keys |= {"recipe.batch_size": 8, "results_dir": tmp_path, "device": "cpu", "precision": "fp32"}
    frame = run(keys)
    assert frame["status"].tolist() == ["done"] * len(frame)
    assert len(frame) == 3


def test_what_a_gpu_would_decode_is_what_the_cpu_decodes_within_rounding(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With torchvision's decoder of the CPU in place of that of a GPU; one file is no JPEG, which falls back."""
    monkeypatch.setattr(gpu_decoding, "decode_jpeg", lambda encoded, mode, device: decode_jpeg(encoded, mode))
    data = load("imagenet", root, **SMALL, decode="gpu")[0]
    assert data.digest != load("imagenet", root, **SMALL)[0].digest
    png = root / "picture.png"
    pillow(files(data)[1]).save(png)
    listed = [*files(data), png]
    by_cpu = ImageFiles(listed, 16, None, 20)._reader.take
    decoder = GpuDecoder(listed, 16, 20, torch.device("cpu"), by_cpu)
    positions, drawn = np.array([4, 15, 4]), crops(3)
    decoder.begin(positions, False, drawn)
    for of in (drawn, None):
        images, expected = decoder.take(positions, False, of), by_cpu(positions, False, of)
        assert (images.int() - expected.int()).abs().max() <= 2
        assert torch.equal(images[1], expected[1])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"in_memory": True}, "dataset.resize=256: needs dataset.in_memory=false"),
        ({"size": 300}, "dataset.resize=256: needs a dataset.size of at most that, not 300"),
        ({"size": None}, "needs a dataset.size of at most that, not null"),
        ({"resize": None, "decode": "gpu"}, "dataset.decode=gpu: needs dataset.resize"),
    ],
)
def test_sizes_that_do_not_fit_are_one_line(root: Path, options: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        load("imagenet", root, **options)


def test_a_missing_or_unsorted_imagenet_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has folders train/ and val/\. Fetch ILSVRC 2012"):
        load("imagenet", tmp_path)
    for wnid in WNIDS:
        (tmp_path / "train" / wnid).mkdir(parents=True)
    (tmp_path / "val").mkdir()
    with pytest.raises(UserError, match="has no folder for each class"):
        load("imagenet", tmp_path)
