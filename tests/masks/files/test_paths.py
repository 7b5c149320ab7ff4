"""The file of a seed and a ratio is found in a file, a folder or a pattern."""

from pathlib import Path

import pytest

from sanity.errors import UserError
from sanity.masks.files.paths import fill_in, find


def test_fields_are_filled_in_as_keys_have_them() -> None:
    assert fill_in("a_{seed}/{ratio}.pt", "key", seed=3, ratio=0.950) == "a_3/0.95.pt"
    assert fill_in("a_{seed}/{ratio}.pt", "key", ratio=0.5) == "a_{seed}/0.5.pt"
    with pytest.raises(UserError, match=r"key=\{sed\}: \{sed\} is no field"):
        fill_in("{sed}", "key", seed=3)


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        (["a.pt", "notes.txt"], "a.pt"),
        (["mask.pth", "model.pth"], "mask.pth"),
        (["x_seed1.npz", "x_seed2.npz", "x_seed12.npz"], "x_seed2.npz"),
    ],
)
def test_a_folder_tells_its_file(tmp_path: Path, files: list[str], chosen: str) -> None:
    for name in files:
        (tmp_path / name).touch()
    assert find(str(tmp_path), "key", seed=2).name == chosen


def test_a_path_that_tells_no_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give a file, a folder"):
        find("", "key")
    with pytest.raises(UserError, match="no such file"):
        find(str(tmp_path / "a.pt"), "key")
    with pytest.raises(UserError, match="no file that ends in"):
        find(str(tmp_path), "key")
    for name in ("a.pt", "b.pt"):
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=r"2 files \(a.pt, b.pt\)"):
        find(str(tmp_path), "key")
