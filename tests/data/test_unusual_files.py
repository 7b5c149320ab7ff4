"""Folders of images that hold links, pipes, other formats, odd names or more than fits in memory."""

import os
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from sanity.data import memory
from sanity.data.dataset import Dataset, load
from sanity.errors import UserError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pruning-sanity"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two training images and one test image of each of the classes a and b; red is the class, green the number."""
    for split, count in (("train", 2), ("test", 1)):
        for label, name in enumerate("ab"):
            for number in range(count):
                paint(tmp_path / "images" / split / name / f"{number}.png", (100 * label, number, 7))
    return tmp_path / "images"


def paint(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (6, 5)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def colours(data: Dataset) -> list[tuple[int, int, int]]:
    """Class, red and green of every example."""
    red, green = data.pixels[:, 0, 0, 0].tolist(), data.pixels[:, 1, 0, 0].tolist()
    return sorted(zip(data.targets.tolist(), red, green, strict=True))


CLEAN = [(0, 0, 0), (0, 0, 1), (1, 100, 0), (1, 100, 1)]


@pytest.mark.parametrize("target", [".", "..", "../b", "../../..", "/"])
def test_links_back_to_a_class_or_above_it_add_nothing(folder: Path, target: str) -> None:
    (folder / "train" / "a" / "link").symlink_to(target, target_is_directory=True)
    assert colours(load("imagefolder", folder)[0]) == CLEAN


def test_a_folder_elsewhere_that_links_lead_to_counts_once(folder: Path, tmp_path: Path) -> None:
    paint(tmp_path / "elsewhere" / "x.png", (0, 9, 7))
    (tmp_path / "elsewhere" / "again").symlink_to(tmp_path / "elsewhere")
    for name in ("first", "second"):
        (folder / "train" / "a" / name).symlink_to(tmp_path / "elsewhere")
    assert colours(load("imagefolder", folder)[0]) == sorted([*CLEAN, (0, 0, 9)])


def test_a_class_may_be_a_link_but_not_to_another_class(folder: Path, tmp_path: Path) -> None:
    (folder / "train" / "b").rename(tmp_path / "b elsewhere")
    (folder / "train" / "b").symlink_to(tmp_path / "b elsewhere")
    assert colours(load("imagefolder", folder)[0]) == CLEAN
    (folder / "train" / "b").unlink()
    (folder / "train" / "b").symlink_to("a")
    with pytest.raises(UserError, match="the classes 'a' and 'b' are one folder"):
        load("imagefolder", folder)


def test_a_pipe_or_a_broken_link_is_named(folder: Path) -> None:
    odd = folder / "train" / "a" / "9.png"
    odd.symlink_to("nowhere.png")
    with pytest.raises(UserError, match=r"9\.png: unreadable image \(a broken link, a pipe or a device\)"):
        load("imagefolder", folder)
    odd.unlink()
    os.mkfifo(odd)
    with pytest.raises(UserError, match=r"9\.png: unreadable image \(a broken link, a pipe or a device\)"):
        load("imagefolder", folder)


def test_a_folder_that_cannot_be_listed_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "train" / "a" / "locked").mkdir()
    listing = os.scandir

    def scandir(path: Path) -> object:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(UserError, match="locked: Permission denied"):
        load("imagefolder", folder)


@pytest.mark.parametrize("program", ["gs", "gswin64c"])
def test_an_image_starts_no_other_program(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    script = tmp_path / "bin" / program
    script.parent.mkdir()
    script.write_text(f"#!/bin/sh\ntouch {tmp_path / 'started'}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(script.parent), prepend=os.pathsep)
    Image.new("RGB", (6, 5)).save(tmp_path / "drawing.eps")
    shutil.copy(tmp_path / "drawing.eps", folder / "train" / "a" / "0.png")
    with pytest.raises(UserError, match=r"a/0\.png: unreadable image \(cannot identify"):
        load("imagefolder", folder)
    assert not (tmp_path / "started").exists()


def test_a_format_is_told_by_the_content(folder: Path) -> None:
    file = folder / "train" / "a" / "0.png"
    for suffix in ("jpg", "gif", "bmp", "ppm", "tiff", "webp"):
        Image.new("RGB", (6, 5), (0, 0, 7)).save(file.with_suffix(f".{suffix}"))
        file.with_suffix(f".{suffix}").rename(file)
        assert len(load("imagefolder", folder)[0]) == 4


def test_the_cache_notices_other_pixels_of_the_same_size_and_time(folder: Path, tmp_path: Path) -> None:
    file = folder / "train" / "a" / "0.bmp"
    paint(file, (10, 0, 7))
    status = file.stat()
    before = load("imagefolder", folder)[0]
    paint(tmp_path / "other.bmp", (90, 0, 7))
    shutil.copyfile(tmp_path / "other.bmp", file)  # into the same inode
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert (0, 10, 0) in colours(before)
    assert (0, 90, 0) in colours(load("imagefolder", folder)[0])


def test_images_that_do_not_fit_in_memory_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 300_000_000)
    with pytest.raises(UserError) as error:
        load("imagefolder", folder, size=6000)
    message = str(error.value)
    assert "4 images of 6000x6000 pixels" in message
    assert "0.4 GB of memory are needed, 0.3 GB are free" in message
    assert all(key in message for key in ("dataset.size", "dataset.limit"))
    assert "\n" not in message
    assert len(load("imagefolder", folder)[0]) == 4


def test_what_is_free_is_the_least_that_anyone_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    left = memory.available()
    assert left is not None
    assert 10**6 < left < 10**14
    monkeypatch.setattr(memory, "_of_the_process", lambda: 5)
    monkeypatch.setattr(memory, "_of_the_container", lambda: None)
    assert memory.available() == 5


@pytest.mark.parametrize("name", [b"caf\xe9.png", "gr\u00fcn.png".encode(), b"a b\n.png"])
def test_names_in_any_bytes_are_read(folder: Path, name: bytes, cache: Path) -> None:
    for number in range(2):
        file = os.fsencode(folder / "train" / "a" / f"{number}.png")
        os.rename(file, os.fsencode(folder / "train" / "a") + b"/%d " % number + name)
    os.rename(folder / "train" / "b", os.fsencode(folder / "train") + b"/" + name)
    os.rename(folder / "test" / "b", os.fsencode(folder / "test") + b"/" + name)
    assert colours(load("imagefolder", folder)[0]) == CLEAN
    assert len(list(cache.iterdir())) == 2


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    root = tmp_path / "tiny-imagenet-200"
    for label, name in enumerate(("n01", "n02")):
        paint(root / "train" / name / "images" / "0.JPEG", (100 * label, 0, 0))
    paint(root / "val" / "images" / "val_0.JPEG", (0, 0, 0))
    paint(root / "outside.JPEG", (0, 0, 0))
    return root / "val" / "val_annotations.txt"


@pytest.mark.parametrize(
    "file", ["../../outside.JPEG", "{root}/outside.JPEG", "..", "", "val_0.JPEG\0", "./val_0.JPEG"]
)
def test_annotations_name_files_in_their_folder_alone(annotations: Path, file: str) -> None:
    annotations.write_text(f"{file.format(root=annotations.parents[1])}\tn01\t0\t0\t62\t62\n")
    with pytest.raises(UserError, match=r"val_annotations\.txt, line 1: '.*' is no name of a file in images/") as error:
        load("tiny_imagenet", annotations.parents[1])
    assert str(error.value).isprintable()


@pytest.mark.parametrize("line", [b"val_0.JPEG\tn\xe9\t0", b"val_0.JPEG\tn\0\t0"])
def test_annotations_in_other_bytes_are_one_line(annotations: Path, line: bytes) -> None:
    annotations.write_bytes(line)
    with pytest.raises(UserError, match=r"line 1: class '.*' has no folder") as error:
        load("tiny_imagenet", annotations.parents[1])
    assert str(error.value).isprintable()


def test_annotated_names_in_any_bytes_are_read(annotations: Path) -> None:
    images = os.fsencode(annotations.parent / "images")
    os.rename(images + b"/val_0.JPEG", images + b"/\xe9.JPEG")
    annotations.write_bytes(b"\xe9.JPEG\tn02\t0\t0\t62\t62\r\n")
    assert load("tiny_imagenet", annotations.parents[1])[1].targets.tolist() == [1]


def test_without_a_home_images_are_read_and_not_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = load("imagefolder", folder)[0].digest
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as for a user id without an entry
    assert load("imagefolder", folder, cache=False)[0].digest == expected
    assert caplog.records == []
    assert load("imagefolder", folder)[0].digest == expected
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_the_caches_tilde_is_the_home(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "~/kept")
    monkeypatch.chdir(tmp_path)
    load("imagefolder", folder)
    assert len(list((tmp_path / "kept" / "pruning-sanity").iterdir())) == 2
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize("in_memory", [True, False])
def test_line_breaks_and_control_characters_of_a_name_are_escaped(folder: Path, in_memory: bool) -> None:
    (folder / "train" / "a" / "0\nerror: no\x1b[31m\u2028.png").write_bytes(b"no image")
    with pytest.raises(UserError) as mistake:
        load("imagefolder", folder, in_memory=in_memory)[0].fetch(torch.arange(4))
    assert "0\\nerror: no\\x1b[31m\\u2028.png: unreadable image" in str(mistake.value)
    assert str(mistake.value).isprintable()
