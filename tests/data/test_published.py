"""MNIST and CIFAR: the files' layouts, and what is said when they are missing, corrupt or cannot be fetched."""

import gzip
import hashlib
import os
import pickle
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torchvision import datasets as tv

from sanity.data.dataset import load
from sanity.data.mnist import FILES, MNIST
from sanity.errors import UserError

SHARED = Path(__file__).parents[3] / "shared" / "data" / "mnist.tar.xz"


def idx(path: Path, array: np.ndarray, compress: bool = False) -> None:
    header = bytes((0, 0, 8, array.ndim)) + b"".join(length.to_bytes(4, "big") for length in array.shape)
    content = header + array.astype(np.uint8).tobytes()
    path.with_name(path.name + ".gz" * compress).write_bytes(gzip.compress(content) if compress else content)


def small_mnist(folder: Path, compress: bool = False) -> None:
    folder.mkdir(parents=True)
    for split, count in (("train", 30), ("t10k", 20)):
        pixels = np.random.RandomState(count).randint(256, size=(count, 28, 28))
        idx(folder / f"{split}-images-idx3-ubyte", pixels, compress)
        idx(folder / f"{split}-labels-idx1-ubyte", np.arange(count) % 10, compress)


@pytest.fixture(autouse=True)
def closed_network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No test may open a connection; what was asked for is listed."""
    asked: list[str] = []

    def refuse(request: Any, *_: object, **__: object) -> None:
        asked.append(getattr(request, "full_url", request))
        raise URLError("network is unreachable")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    return asked


@pytest.mark.parametrize("compress", [False, True], ids=["raw", "gz"])
@pytest.mark.parametrize("inner", ["FashionMNIST/raw", "."])
def test_idx_files_are_found_raw_or_gzipped(tmp_path: Path, inner: str, compress: bool, closed_network: list) -> None:
    small_mnist(tmp_path / "data" / inner, compress)
    train, test = load("fashion_mnist", tmp_path / "data", verify=False)
    expected = np.random.RandomState(30).randint(256, size=(30, 28, 28))
    assert torch.equal(train.pixels, torch.from_numpy(expected.astype(np.uint8)).unsqueeze(1))
    assert train.targets.tolist() == [*range(10)] * 3
    assert len(test) == 20
    assert closed_network == []


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data/mnist.tar.xz beside the repository")
def test_real_mnist(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("mnist")
    with tarfile.open(SHARED) as archive:
        archive.extractall(folder, filter="data")
    train, test = load("mnist", folder, limit=5000, download=False)
    assert train.targets.bincount().tolist() == [500] * 10
    assert test.targets.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert test.targets[:5].tolist() == [7, 2, 1, 0, 4]
    assert train.mean == pytest.approx([0.1307], abs=2e-3)


def test_files_of_another_data_set_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_mnist(tmp_path / "d", compress=True)
    contents = [gzip.decompress((tmp_path / "d" / f"{file}.gz").read_bytes()) for file in FILES]
    monkeypatch.setattr(MNIST, "published", tuple(hashlib.md5(content).hexdigest() for content in contents))
    assert len(load("mnist", tmp_path / "d")[0]) == 30
    with pytest.raises(UserError, match=r"train-images-.*: not the published FashionMNIST \(this is MNIST's file\)"):
        load("fashion_mnist", tmp_path / "d", download=False)
    labels = tmp_path / "d" / f"{FILES[3]}.gz"
    labels.write_bytes(gzip.compress(contents[3][:-1] + b"\x00"))
    with pytest.raises(UserError, match=r"t10k-labels-idx1-ubyte\.gz: not the published MNIST .*dataset\.verify=false"):
        load("mnist", tmp_path / "d")


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_files_that_nobody_published_are_refused(tmp_path: Path, name: str) -> None:
    small_mnist(tmp_path / "d")
    with pytest.raises(UserError, match=r"not the published .*MNIST \(30 examples with MD5 .*dataset\.verify=false"):
        load(name, tmp_path / "d", download=False)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (
            lambda path: path.write_bytes(path.read_bytes()[:-1]),
            "corrupt, 23519 bytes of data where its header says 23520",
        ),
        (lambda path: path.write_bytes(b"<html>not here</html>"), "corrupt, not an idx file"),
        (lambda path: path.write_bytes(b""), "corrupt, not an idx file"),
        (lambda path: (path.unlink(), path.mkdir()), "cannot be read"),
        (lambda path: idx(path, np.zeros((29, 28, 28))), "corrupt, 30 labels for the 29 images"),
    ],
    ids=["short", "html", "empty", "folder", "count"],
)
def test_corrupt_idx_files_are_named(tmp_path: Path, damage: Any, words: str) -> None:
    small_mnist(tmp_path / "MNIST" / "raw")
    damage(tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte")
    with pytest.raises(UserError, match=words) as error:
        load("mnist", tmp_path)
    assert "train-" in str(error.value)


def test_corrupt_gzip_is_named(tmp_path: Path) -> None:
    small_mnist(tmp_path / "d", compress=True)
    file = tmp_path / "d" / "t10k-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(UserError, match=r"t10k-images-idx3-ubyte\.gz: cannot be read"):
        load("mnist", tmp_path / "d")


def test_a_gzip_file_is_unpacked_no_further_than_its_header_says(tmp_path: Path) -> None:
    small_mnist(tmp_path / "d", compress=True)
    file = tmp_path / "d" / "train-images-idx3-ubyte.gz"
    header = gzip.decompress(file.read_bytes())[:16]
    file.write_bytes(gzip.compress(header + bytes(200_000_000)))
    tracemalloc.start()
    with pytest.raises(UserError, match=r"corrupt, more than 23520 bytes of data where its header says 23520"):
        load("mnist", tmp_path / "d")
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_a_header_that_asks_for_all_memory_is_refused(tmp_path: Path) -> None:
    small_mnist(tmp_path / "d")
    file = tmp_path / "d" / "train-images-idx3-ubyte"
    file.write_bytes(bytes((0, 0, 8, 3)) + b"\x7f\xff\xff\xff" * 3)
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte: .* GB of memory are needed, .* are free"):
        load("mnist", tmp_path / "d")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_is_no_idx_file(tmp_path: Path) -> None:
    small_mnist(tmp_path / "d")
    file = tmp_path / "d" / "train-images-idx3-ubyte"
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte: cannot be read \(it is no regular file\)"):
        load("mnist", tmp_path / "d")


def test_labels_out_of_range_are_named(tmp_path: Path) -> None:
    small_mnist(tmp_path / "d")
    idx(tmp_path / "d" / "t10k-labels-idx1-ubyte", np.full(20, 10))
    with pytest.raises(UserError, match="t10k-labels-idx1-ubyte: corrupt, label 10"):
        load("mnist", tmp_path / "d")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mnist", ["train-images-idx3-ubyte.gz", "https://", "MNIST/raw"]),
        ("fashion_mnist", ["t10k-labels-idx1-ubyte.gz", "http://", "FashionMNIST/raw"]),
        ("cifar10", ["cifar-10-python.tar.gz and unpack it", "https://www.cs.toronto.edu/~kriz/ into"]),
        ("cifar100", ["cifar-100-python.tar.gz and unpack it", "https://www.cs.toronto.edu/~kriz/ into"]),
    ],
)
@pytest.mark.parametrize("download", [True, False])
def test_missing_data_says_what_to_fetch(
    tmp_path: Path, name: str, words: list[str], download: bool, closed_network: list[str]
) -> None:
    with pytest.raises(UserError) as error:
        load(name, tmp_path, download=download)
    message = str(error.value)
    assert "\n" not in message
    assert all(word in message for word in [*words, str(tmp_path)]), message
    assert ("network is unreachable" in message) == bool(closed_network) == download


@pytest.fixture
def small_cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """CIFAR-10's archive in small, unpacked, with the checksums that torchvision is told to expect."""
    folder = tmp_path / tv.CIFAR10.base_folder
    folder.mkdir()

    def write(file: str, content: dict) -> list[str]:
        (folder / file).write_bytes(pickle.dumps(content))
        return [file, hashlib.md5((folder / file).read_bytes()).hexdigest()]

    pixels = np.arange(20 * 3072, dtype=np.uint32).astype(np.uint8).reshape(20, 3072)
    batch = {"data": pixels, "labels": [i % 10 for i in range(20)]}
    monkeypatch.setattr(tv.CIFAR10, "train_list", [write("data_batch_1", batch)])
    monkeypatch.setattr(tv.CIFAR10, "test_list", [write("test_batch", batch)])
    meta = write("batches.meta", {"label_names": list("abcdefghij")})
    monkeypatch.setattr(tv.CIFAR10, "meta", {"filename": meta[0], "key": "label_names", "md5": meta[1]})
    return tmp_path


def test_cifar_keeps_planes_and_published_constants(small_cifar: Path) -> None:
    train, _ = load("cifar10", small_cifar)
    assert train.examples.shape == (20, 3, 32, 32)
    assert train.pixels.is_contiguous()
    # The archive stores red, green, blue planes of 1024 bytes each.
    assert torch.equal(train.pixels[0].flatten(), torch.arange(3072).to(torch.uint8))
    assert (train.mean, train.std) == ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))


def test_corrupt_cifar_file_is_named(small_cifar: Path, closed_network: list[str]) -> None:
    file = small_cifar / tv.CIFAR10.base_folder / "test_batch"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match="test_batch: corrupt"):
        load("cifar10", small_cifar)
    assert closed_network == []
