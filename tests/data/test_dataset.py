"""Data sets as tensors: the digits, normalisation, limits and digests."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sanity.data.dataset import Dataset, load, statistics
from sanity.errors import UserError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def digits() -> tuple[Dataset, Dataset]:
    return load("digits")


def test_digits_come_with_the_install(digits: tuple[Dataset, Dataset]) -> None:
    train, test = digits
    assert (len(train), len(test)) == (1200, 597)
    assert train.input_shape == test.input_shape == (1, 8, 8)
    assert train.pixels.dtype == torch.uint8
    assert train.targets.dtype == torch.int64
    assert train.targets.bincount().tolist() == [120] * 10
    assert int(train.pixels.max()) == 255
    # round(v * 255 / 16) for v = 0..16
    assert set(train.pixels.unique().tolist()) <= {round(v * 255 / 16) for v in range(17)}


def test_digits_splits_share_no_image_and_miss_none(digits: tuple[Dataset, Dataset]) -> None:
    from sklearn.datasets import load_digits

    everything = torch.cat([split.pixels.flatten(1) for split in digits]).double().sum(0)
    assert torch.equal(everything, torch.from_numpy(load_digits().data * 255 / 16).round().sum(0))


def test_digits_digest_is_pinned(digits: tuple[Dataset, Dataset]) -> None:
    assert digits[0].digest.startswith("9b48e1e05a03")
    assert digits[1].digest.startswith("b4311855e1bb")


def test_normalised_train_set_has_mean_0_and_deviation_1(digits: tuple[Dataset, Dataset]) -> None:
    floats = digits[0].normalise(digits[0].pixels, torch.float64)
    assert float(floats.mean()) == pytest.approx(0, abs=1e-12)
    assert float(floats.std(correction=0)) == pytest.approx(1, abs=1e-12)


def test_normalise_is_the_formula() -> None:
    examples = torch.tensor([0, 51, 255, 102], dtype=torch.uint8).view(2, 2, 1, 1)
    data = Dataset(examples, torch.tensor([0, 1]), 2, (0.5, 0.1), (0.25, 0.2))
    expected = torch.tensor([[(0 - 0.5) / 0.25, (0.2 - 0.1) / 0.2], [(1 - 0.5) / 0.25, (0.4 - 0.1) / 0.2]])
    assert torch.allclose(data.normalise(examples)[:, :, 0, 0], expected)
    assert torch.equal(data.normalise(examples, torch.bfloat16), data.normalise(examples).bfloat16())
    assert data.normalise(examples, torch.float64).dtype == torch.float64


def test_statistics_agree_with_floats_and_survive_a_constant_channel() -> None:
    examples = torch.randint(256, (5000, 3, 4, 4), dtype=torch.uint8, generator=seeded())
    examples[:, 2] = 51
    mean, std = statistics(examples)
    floats = examples.double() / 255
    assert mean == pytest.approx(floats.mean((0, 2, 3)).tolist())
    assert std[:2] == pytest.approx(floats.std((0, 2, 3), correction=0).tolist()[:2])
    assert mean[2] == pytest.approx(0.2)
    assert std[2] == 1


def test_limits_keep_the_first_of_every_class(digits: tuple[Dataset, Dataset]) -> None:
    train, test = load("digits", limit=34, test_limit=20)
    assert sorted(train.targets.bincount().tolist()) == [3] * 6 + [4] * 4
    assert test.targets.bincount().tolist() == [2] * 10
    zeros = digits[0].pixels[digits[0].targets == 0]
    few = train.pixels[train.targets == 0]
    assert torch.equal(few, zeros[: len(few)])
    # In the order of the whole: nothing is left out before some class has given its share.
    assert torch.equal(train.pixels[:10], digits[0].pixels[:10])


@given(st.integers(1, 1300))
@settings(max_examples=20, deadline=None)
def test_limited_sets_are_nested_and_balanced(limit: int) -> None:
    train, _ = load("digits", limit=limit)
    counts = train.targets.bincount(minlength=10)
    assert len(train) == min(limit, 1200)
    assert counts.max() - counts.min() <= 1


def test_digest_sees_every_part_of_the_data(digits: tuple[Dataset, Dataset]) -> None:
    train = digits[0]
    examples, targets = train.pixels.clone(), train.targets.clone()
    examples[-1, 0, 7, 7] ^= 1
    targets[-1] = (targets[-1] + 1) % 10
    others = [
        Dataset(examples, train.targets, 10, train.mean, train.std),
        Dataset(train.examples, targets, 10, train.mean, train.std),
        Dataset(train.examples, train.targets, 11, train.mean, train.std),
        Dataset(train.pixels.view(-1, 1, 4, 16), train.targets, 10, train.mean, train.std),
        Dataset(train.examples, train.targets, 10, (0.5,), train.std),
    ]
    assert len({train.digest, *(other.digest for other in others)}) == 6
    assert load("digits")[0].digest == train.digest


def test_same_device_costs_nothing(digits: tuple[Dataset, Dataset]) -> None:
    assert digits[0].to("cpu") is digits[0]
    assert digits[0].to("meta").input_shape == (1, 8, 8)


def test_wrong_tensors_are_refused() -> None:
    with pytest.raises(ValueError, match="uint8"):
        Dataset(torch.zeros(2, 1, 2, 2), torch.zeros(2, dtype=torch.int64), 2, (0.0,), (1.0,))
    with pytest.raises(ValueError, match="3 targets"):
        Dataset(torch.zeros(2, 1, 2, 2, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64), 2, (0.0,), (1.0,))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("digit", {}, "unknown dataset 'digit'. Did you mean 'digits'"),
        ("digits", {"limits": 3}, "Did you mean 'limit'"),
        ("digits", {"limit": 0}, "limit=0: should be greater than or equal to 1"),
        ("digits", {"limit": "many"}, "limit=many: should be a valid integer"),
    ],
)
def test_load_mistakes_are_one_line(name: str, options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load(name, **options)
