"""Data sets that are not there: a plan counts them by numbers that are those of the files."""

from pathlib import Path

import pytest

from sanity.data import REGISTRY
from sanity.data.dataset import load, stand_in

PUBLISHED = ("mnist", "fashion_mnist", "cifar10", "cifar100", "tiny_imagenet")


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_data_set_can_be_counted(name: str) -> None:
    splits = stand_in(name, {})
    assert splits is not None
    for split in splits:
        assert split.is_stand_in
        assert split.targets.unique().numel() == split.classes
        assert split.examples.shape[1:] == split.input_shape


def test_the_numbers_are_those_of_the_class_that_its_help_tells() -> None:
    for name in PUBLISHED:
        cls = REGISTRY.load(name)
        first = cls.__doc__.strip().splitlines()[0]
        assert f"{cls.known.train:,} training" in first
        assert f"{cls.known.test:,} " in first
        assert f"{cls.known.shape[1]}x{cls.known.shape[2]}" in first


def test_limits_hold_and_data_of_ones_own_have_none() -> None:
    splits = stand_in("cifar10", {"limit": 30, "test_limit": 7})
    assert splits is not None
    assert [len(split) for split in splits] == [30, 7]
    assert stand_in("digits", {}) is None
    small = stand_in("tiny_imagenet", {"size": 32})
    assert small is not None
    assert small[0].input_shape == (3, 32, 32)


def test_where_the_files_are_there_they_agree(tmp_path: Path) -> None:
    digits = load("digits", tmp_path)
    assert not any(split.is_stand_in for split in digits)
