"""Folders of images: layouts, one decoding for many starts, and every mistake named."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sanity.data import decoding
from sanity.data.dataset import load
from sanity.errors import UserError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pruning-sanity"


def paint(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (6, 5), mode: str = "RGB") -> None:
    """An image of one colour, `size` (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).convert(mode).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three training images and one test image of each of two classes; red is the class, green the number."""
    for label, name in enumerate(("cat", "dog")):
        for number in range(3):
            paint(tmp_path / "images" / "train" / name / f"{number}.png", (100 * label, number, 7))
        paint(tmp_path / "images" / "test" / name / "0.png", (100 * label, 9, 7))
    return tmp_path / "images"


def test_images_become_tensors_in_turn_of_class(folder: Path) -> None:
    train, test = load("imagefolder", folder)
    assert train.examples.shape == (6, 3, 5, 6)
    assert train.classes == 2
    assert train.targets.tolist() == [0, 1] * 3
    assert train.pixels[:, :, 0, 0].tolist() == [[100 * c, n, 7] for n in range(3) for c in range(2)]
    assert test.pixels[:, :, 4, 5].tolist() == [[0, 9, 7], [100, 9, 7]]
    assert train.mean == pytest.approx([50 / 255, 1 / 255, 7 / 255])


def test_val_serves_as_test(folder: Path) -> None:
    (folder / "test").rename(folder / "val")
    assert len(load("imagefolder", folder)[1]) == 2


def test_limits_decode_nothing_more(folder: Path) -> None:
    (folder / "train" / "dog" / "2.png").write_bytes(b"broken")
    train, _ = load("imagefolder", folder, limit=4)
    assert train.targets.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(("mode", "expected"), [("L", [76, 76, 76]), ("RGBA", [255, 0, 0]), ("P", [255, 0, 0])])
def test_other_modes_become_rgb(folder: Path, mode: str, expected: list[int]) -> None:
    paint(folder / "train" / "cat" / "0.png", (255, 0, 0), mode=mode)
    assert load("imagefolder", folder)[0].pixels[0, :, 0, 0].tolist() == expected


def test_size_resizes_all(folder: Path) -> None:
    paint(folder / "train" / "cat" / "0.png", (1, 2, 3), size=(40, 20))
    train, test = load("imagefolder", folder, size=4)
    assert train.input_shape == test.input_shape == (3, 4, 4)
    assert train.pixels[0, :, 2, 2].tolist() == [1, 2, 3]


def test_second_start_decodes_nothing(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load("imagefolder", folder)
    assert sorted(file.suffix for file in cache.iterdir()) == [".safetensors"] * 2
    monkeypatch.setattr(decoding, "_decode", lambda *_: pytest.fail("decoded again"))
    second = load("imagefolder", folder)
    assert [split.digest for split in first] == [split.digest for split in second]


def test_a_changed_image_is_decoded_again(folder: Path) -> None:
    file = folder / "train" / "cat" / "0.bmp"  # a format whose size does not depend on what it shows
    paint(file, (10, 0, 0))
    assert load("imagefolder", folder)[0].pixels[0, 0, 0, 0] == 10
    paint(file, (200, 0, 0))
    os.utime(file, (1, 1))
    assert load("imagefolder", folder)[0].pixels[0, 0, 0, 0] == 200


def test_a_damaged_or_unwritable_cache_does_no_harm(folder: Path, cache: Path) -> None:
    first = load("imagefolder", folder)[0].digest
    for file in cache.iterdir():
        file.write_bytes(file.read_bytes()[:50])
    assert load("imagefolder", folder)[0].digest == first
    for file in cache.iterdir():
        file.unlink()
    cache.rmdir()
    cache.write_text("a file where the folder should be")
    assert load("imagefolder", folder)[0].digest == first


def test_cache_can_be_declined(folder: Path, cache: Path) -> None:
    load("imagefolder", folder, cache=False)
    assert not cache.exists()


@pytest.mark.parametrize("content", [b"", b"not an image", None], ids=["empty", "text", "truncated"])
def test_an_unreadable_image_is_named(folder: Path, content: bytes | None) -> None:
    file = folder / "train" / "dog" / "1.png"
    Image.fromarray(np.random.RandomState(0).randint(256, size=(50, 60, 3)).astype(np.uint8)).save(file)
    file.write_bytes(file.read_bytes()[:2000] if content is None else content)
    with pytest.raises(UserError, match=r"dog/1\.png: unreadable image") as error:
        load("imagefolder", folder, size=5)
    assert "\n" not in str(error.value)


def test_sixteen_bit_images_are_refused(folder: Path) -> None:
    file = folder / "train" / "dog" / "1.png"
    Image.fromarray(np.full((5, 6), 40_000, dtype=np.uint16)).save(file)
    with pytest.raises(UserError, match=r"dog/1\.png: unreadable image \(mode I"):
        load("imagefolder", folder)


def test_images_of_two_sizes_are_named(folder: Path) -> None:
    paint(folder / "train" / "dog" / "1.png", (0, 0, 0), size=(6, 8))
    with pytest.raises(UserError, match=r"dog/1\.png and .*cat/0\.png differ in size \(6x8 and 6x5\).*size="):
        load("imagefolder", folder)


def test_splits_of_two_sizes_are_an_error(folder: Path) -> None:
    for name in ("cat", "dog"):
        paint(folder / "test" / name / "0.png", (0, 0, 0), size=(9, 9))
    with pytest.raises(UserError, match="3x5x6 and 3x9x9"):
        load("imagefolder", folder)


def test_missing_folders_are_named(folder: Path) -> None:
    with pytest.raises(UserError, match=r"data_dir=.*nowhere, but there is no folder .*nowhere/train"):
        load("imagefolder", folder / "nowhere")
    (folder / "test").rename(folder / "elsewhere")
    with pytest.raises(UserError, match="neither test/ nor val/"):
        load("imagefolder", folder)


def test_a_class_without_images_is_named(folder: Path) -> None:
    for split in ("train", "test"):
        (folder / split / "emu").mkdir()
        (folder / split / "emu" / "notes.txt").write_text("no image")
    with pytest.raises(UserError, match="train/emu: no images"):
        load("imagefolder", folder)


def test_classes_of_both_splits_must_agree(folder: Path) -> None:
    paint(folder / "test" / "emu" / "0.png", (0, 0, 0))
    with pytest.raises(UserError, match=r"class 'emu' is in only one of train/ and test/"):
        load("imagefolder", folder)


def test_one_class_is_none(folder: Path) -> None:
    (folder / "train" / "dog").rename(folder / "dog")
    with pytest.raises(UserError, match="at least two classes, has 1"):
        load("imagefolder", folder)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    root = tmp_path / "tiny-imagenet-200"
    lines = []
    for label, name in enumerate(("n01", "n02")):
        for number in range(2):
            paint(root / "train" / name / "images" / f"{name}_{number}.JPEG", (100 * label, 0, 0), size=(64, 64))
        paint(root / "val" / "images" / f"val_{1 - label}.JPEG", (100 * label, 0, 0), size=(64, 64))
        lines.append(f"val_{1 - label}.JPEG\t{name}\t0\t0\t62\t62\n")
    (root / "val" / "val_annotations.txt").write_text("".join(lines))
    return root


@pytest.mark.parametrize("inside", [True, False])
def test_tiny_imagenet_as_published(tiny: Path, inside: bool) -> None:
    train, test = load("tiny_imagenet", tiny if inside else tiny.parent)
    assert train.examples.shape == (4, 3, 64, 64)
    assert test.targets.tolist() == [0, 1]
    assert torch.allclose(test.pixels[:, 0].float().mean((1, 2)), torch.tensor([0.0, 100.0]), atol=3)


def test_tiny_imagenet_sorted_into_classes(tiny: Path) -> None:
    expected = load("tiny_imagenet", tiny)[1].digest
    (tiny / "val" / "val_annotations.txt").unlink()
    for number, name in enumerate(("n02", "n01")):
        (tiny / "val" / name).mkdir()
        (tiny / "val" / "images" / f"val_{number}.JPEG").rename(tiny / "val" / name / f"val_{number}.JPEG")
    assert load("tiny_imagenet", tiny)[1].digest == expected


def test_tiny_imagenet_mistakes_are_named(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cs231n\.stanford\.edu/tiny-imagenet-200\.zip and unpack it in .*empty"):
        load("tiny_imagenet", tmp_path / "empty")
    annotations = tiny / "val" / "val_annotations.txt"
    annotations.write_text(annotations.read_text() + "val_9.JPEG\tn01\t0\t0\t62\t62\n")
    with pytest.raises(UserError, match=r"val_9\.JPEG: unreadable image \(No such file"):
        load("tiny_imagenet", tiny)
    annotations.write_text("val_0.JPEG\tn77\t0\t0\t62\t62\n")
    with pytest.raises(UserError, match=r"val_annotations\.txt, line 1: class 'n77' has no folder"):
        load("tiny_imagenet", tiny)
