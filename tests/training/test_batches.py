"""BatchBuilder against one image at a time: order, zero padding, flip, normalisation, hold-out, and the seed."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sanity.data.dataset import Dataset
from sanity.errors import UserError
from sanity.recipes import Recipe
from sanity.training.batches import BatchBuilder, draw_epoch, normalisation, stack_orders, train_indices
from tests.training.nets import digits


def photos(count: int = 7, height: int = 6, width: int = 5) -> Dataset:
    pixels = torch.randint(
        256, (count, 3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    return Dataset(pixels, torch.arange(count) % 2, 2, (0.4, 0.5, 0.6), (0.2, 0.3, 0.1))


def by_hand(image: Tensor, padding: int, row: int, column: int, flip: bool) -> Tensor:
    """Zero padding, crop, flip, in the order of the papers' transforms, one image (C, H, W) at a time."""
    channels, height, width = image.shape
    padded = torch.zeros(channels, height + 2 * padding, width + 2 * padding, dtype=torch.uint8)
    padded[:, padding : padding + height, padding : padding + width] = image
    crop = padded[:, row : row + height, column : column + width]
    return crop.flip(2) if flip else crop


@settings(max_examples=25, deadline=None)
@given(padding=st.integers(0, 4), flip=st.booleans(), seed=st.integers(0, 99), tickets=st.integers(1, 3))
def test_a_batch_is_each_image_cropped_and_flipped_by_hand(padding: int, flip: bool, seed: int, tickets: int) -> None:
    data, recipe = photos(), Recipe(crop_padding=padding, flip=flip)
    plans = [draw_epoch(seed + ticket, 3, torch.arange(7), recipe) for ticket in range(tickets)]
    plan = stack_orders(plans)
    images, targets = BatchBuilder(data, recipe, data.mean, data.std).train(plan, slice(2, 6))
    assert images.shape == (tickets * 4, 3, 6, 5)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (data.mean, data.std))
    for position, (image, target) in enumerate(zip(images, targets, strict=True)):
        ticket, column = divmod(position, 4)
        draw = plans[ticket]
        index = int(draw.order[0, column + 2])
        row, left = draw.shift[0, column + 2].tolist()
        expected = by_hand(data.pixels[index], padding, row, left, bool(draw.flip[0, column + 2]))
        torch.testing.assert_close(image, (expected.float() / 255 - mean) / std)
        assert target == data.targets[index]


def test_the_draws_of_an_epoch_use_every_shift_and_both_flips_and_each_example_once() -> None:
    plan = draw_epoch(0, 0, torch.arange(4000), Recipe(crop_padding=4, flip=True))
    assert plan.order.sort().values.tolist() == [list(range(4000))]
    counts = torch.bincount(plan.shift[0, :, 0], minlength=9)
    assert len(counts) == 9
    assert counts.min() > 350
    assert 1850 < int(plan.flip.sum()) < 2150


def test_draws_depend_on_seed_and_epoch_and_on_nothing_else() -> None:
    recipe, indices = Recipe(crop_padding=2, flip=True), torch.arange(50)
    first = draw_epoch(1, 5, indices, recipe)
    torch.manual_seed(7)
    assert torch.equal(first.order, draw_epoch(1, 5, indices, recipe).order)
    assert torch.equal(first.order, draw_epoch(1, 5, indices, Recipe()).order), "augmentation must not change the order"
    for other in (draw_epoch(2, 5, indices, recipe), draw_epoch(1, 6, indices, recipe)):
        assert not torch.equal(first.order, other.order)
        assert not torch.equal(first.shift, other.shift)


def test_the_hold_out_is_a_tenth_and_another_one_for_another_seed() -> None:
    recipe = Recipe(holdout=0.1)
    kept = train_indices(0, 1000, recipe)
    assert len(kept) == len(set(kept.tolist())) == 900
    assert not torch.equal(kept, train_indices(1, 1000, recipe))
    assert train_indices(0, 1000, Recipe()).tolist() == list(range(1000))


def test_the_statistics_that_a_recipe_may_normalise_with() -> None:
    data = photos()
    assert normalisation(data, "dataset") == (data.mean, data.std)
    assert normalisation(data, "none") == ((0.0,) * 3, (1.0,) * 3)
    assert normalisation(data, "imagenet")[0] == (0.485, 0.456, 0.406)
    own = torch.stack([image.flatten(1).float().div(255).std(1) for image in data.pixels]).mean(0)
    mean, std = normalisation(data, "per_image_std")
    assert mean == data.mean
    assert std == pytest.approx(own.tolist())
    pixels = data.pixels.double().div(255).transpose(0, 1).flatten(1)
    mean, std = normalisation(data, "pixel_std")
    assert mean == pytest.approx(pixels.mean(1).tolist())
    assert std == pytest.approx(pixels.std(1, correction=0).tolist())
    assert normalisation(data, "frankle2021_tiny") == ((-0.021, -0.0354, -0.0376), (1.21, 1.20, 1.25))


def test_imagenets_statistics_need_three_channels() -> None:
    with pytest.raises(UserError, match="needs 3 channels"):
        normalisation(digits()[0], "imagenet")
