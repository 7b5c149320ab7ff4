"""Every format gives the tensors that were written; what cannot be read is one line, and no code of a file runs."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from sanity.errors import UserError
from sanity.masks.files.formats import read
from tests.masks.files.files import floats, mask


def _written(folder: Path, suffix: str) -> Path:
    path = folder / f"ticket{suffix}"
    if suffix == ".safetensors":
        save_file(floats(mask()), path)
    elif suffix == ".npz":
        np.savez(path, allow_pickle=False, **{name: layer.numpy() for name, layer in mask().items()})
    else:
        torch.save(floats(mask()), path, _use_new_zipfile_serialization=suffix == ".pt")
    return path


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".pt", ".pth"])
def test_reads_what_was_written(tmp_path: Path, suffix: str) -> None:
    file = read(_written(tmp_path, suffix))
    assert list(file.tensors) == list(mask())
    assert all(torch.equal(file.tensors[name] != 0, layer) for name, layer in mask().items())


def test_the_content_tells_the_format(tmp_path: Path) -> None:
    path = _written(tmp_path, ".npz").rename(tmp_path / "ticket.bin")
    assert list(read(path).tensors) == list(mask())


def test_another_file_at_the_path_is_read_anew(tmp_path: Path) -> None:
    path = _written(tmp_path, ".pt")
    before = read(path).digest
    torch.save({"0.weight": torch.ones(2, 2)}, path)
    assert read(path).digest != before
    assert list(read(path).tensors) == ["0.weight"]


def test_nested_dicts_and_lists_are_joined_by_dots(tmp_path: Path) -> None:
    torch.save({"model": {"fc.weight": torch.ones(2, 2)}, "masks": [torch.ones(1, 2)], "epoch": 3}, tmp_path / "a.pt")
    assert list(read(tmp_path / "a.pt").tensors) == ["model.fc.weight", "masks.0"]


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".pt", ".pth"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_file_is_one_line(tmp_path: Path, suffix: str, share: float) -> None:
    path = _written(tmp_path, suffix)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    _one_line(path, "damaged or incomplete")


class Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (HARM,)


HARM = "harm-was-done"


@pytest.mark.parametrize("writer", ["torch", "old torch", "pickle"])
def test_a_pickle_is_refused_without_being_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: str) -> None:
    monkeypatch.chdir(tmp_path)
    path, content = tmp_path / "a.pt", {"fc.weight": Harmful()}
    if writer == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=writer == "torch")
    _one_line(path, "run code when they are read")
    assert not Path(HARM).exists()


def test_a_pickled_module_says_how_to_convert_it(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "net.pt")
    _one_line(tmp_path / "net.pt", "torch.save(model.state_dict(), PATH)")


def test_numpy_objects_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", allow_pickle=True, masks=np.array([Harmful(), None], dtype=object))
    _one_line(tmp_path / "a.npz", "run code when they are read")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"", "is empty"), (b"weights: none", "none of safetensors"), (b"\x89HDF\r\n\x1a\n", "HDF5"), (None, "no such")],
)
def test_what_is_no_file_of_tensors_is_one_line(tmp_path: Path, content: bytes | None, complaint: str) -> None:
    if content is not None:
        (tmp_path / "a.pt").write_bytes(content)
    _one_line(tmp_path / "a.pt", complaint)


def _one_line(path: Path, complaint: str) -> None:
    with pytest.raises(UserError) as caught:
        read(path)
    assert complaint in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
