"""What is looked at before a grid runs: the examples that its searches will find, at little cost."""

from pathlib import Path
from typing import Any

import pytest

from checks import random_pixels
from sanity.config import from_mapping
from sanity.errors import UserError
from sanity.run import prepare

KEYS: dict[str, Any] = {"methods": "snip", "model": "lenet_300_100", "ratio": 0.5, "device": "cpu"}


def test_no_image_is_permuted_to_count_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def permuted(*_: object) -> None:
        raise AssertionError("all images were permuted")

    monkeypatch.setattr(random_pixels, "permuted", permuted)
    keys = {**KEYS, "checks": "random_pixels+random_labels", "seeds": "0-3", "results_dir": tmp_path}
    assert len(prepare(from_mapping(keys))[1]) == 8


@pytest.mark.parametrize(
    ("checks", "holdout"), [("random_pixels+random_labels", 0), ("random_pixels+half_dataset", 0), ("none", 0.5)]
)
def test_too_few_examples_of_any_seed_are_told_at_the_start(tmp_path: Path, checks: str, holdout: float) -> None:
    keys = {**KEYS, "checks": checks, "seeds": "0-5", "dataset.limit": 150, "recipe.holdout": holdout}
    with pytest.raises(UserError, match="asked for scoring"):
        prepare(from_mapping({**keys, "results_dir": tmp_path}))
