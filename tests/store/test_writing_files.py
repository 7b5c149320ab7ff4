"""What is written where a user asked: a link stays one, and what is no file is written to instead of being replaced."""

import os
import stat
import threading
from pathlib import Path

import pytest

from sanity.errors import CannotWrite
from sanity.store.files import write_where_asked


def test_a_link_goes_on_leading_to_the_file_that_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "figures.json", tmp_path / "link.json"
    target.write_text("old")
    link.symlink_to(target)
    write_where_asked(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["figures.json", "link.json", "there"]


def test_a_pipe_gets_the_text_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    write_where_asked(pipe, "figures")
    reader.join(timeout=10)
    assert got == ["figures"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_device_is_one_line_and_stays_a_device(tmp_path: Path) -> None:
    device = tmp_path / "full"  # a link, so that no fault of ours replaces the device itself
    device.symlink_to("/dev/full")
    with pytest.raises(CannotWrite, match="No space left on device"):
        write_where_asked(device, "figures")
    assert device.is_symlink()
