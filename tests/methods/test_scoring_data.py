"""Which examples a method scores on, as its options say."""

from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

import methods
from methods.random import Random
from sanity.errors import UserError
from sanity.grid.scoring_batches import scoring_batches
from sanity.invariants import nets
from sanity.recipes import Recipe
from sanity.seeds import generator

RECIPE = Recipe(crop_padding=2, flip=True)
DATA = nets.dataset(120)


def drawn(recipe: Recipe = RECIPE, **options: Any) -> list[tuple[Tensor, Tensor]]:
    return list(scoring_batches(methods.get("snip", **options), DATA, recipe, generator(0)))


def test_examples_per_class_batches_and_split_are_what_is_scored_on() -> None:
    assert [len(targets) for _, targets in drawn()] == [10 * nets.CLASSES]
    assert [len(targets) for _, targets in drawn(examples_per_class=3, batches=2, split=3)] == [4, 4, 4] * 2
    assert drawn(examples_per_class=3)[0][1].bincount().tolist() == [3] * nets.CLASSES
    assert [len(targets) for _, targets in drawn(examples=7, batches=2)] == [7, 7]


def test_unbalanced_examples_come_as_they_are() -> None:
    counts = drawn(balanced=False)[0][1].bincount(minlength=nets.CLASSES)
    assert counts.sum() == 10 * nets.CLASSES
    assert counts.tolist() != [10] * nets.CLASSES


def test_sorted_halves_see_different_classes() -> None:
    first, second = (targets for _, targets in drawn(order="class_sorted", split=2))
    assert not set(first.tolist()) & set(second.tolist())
    first, second = (targets for _, targets in drawn(order="mixed", split=2))
    assert set(first.tolist()) & set(second.tolist())


def test_augmentation_is_the_recipes_and_only_where_it_is_wanted() -> None:
    plain, augmented = drawn()[0], drawn(augment=True)[0]
    assert torch.equal(plain[1], augmented[1]), "the same examples"
    assert not torch.equal(plain[0], augmented[0])
    still = Recipe()
    assert torch.equal(drawn(still)[0][0], drawn(still, augment=True)[0][0])
    assert torch.equal(plain[0], drawn(still)[0][0])


@pytest.mark.parametrize("name", ["magnitude", "synflow", "random"])
def test_without_need_of_data_one_example_is_drawn_for_its_shape(name: str) -> None:
    ((examples, _),) = scoring_batches(methods.get(name), DATA, RECIPE, generator(0))
    assert examples.shape == (1, *DATA.input_shape)


def test_a_method_that_needs_data_must_say_which() -> None:
    class Hungry(Random):
        needs_data: ClassVar[bool] = True

    with pytest.raises(UserError, match="GradientMethod"):
        scoring_batches(Hungry(), DATA, RECIPE, generator(0))


def test_a_batch_is_cut_as_a_loader_cuts_it() -> None:
    assert [len(targets) for _, targets in drawn(batch_size=16)] == [16, 16, 8]
    whole, parts = drawn()[0], drawn(batch_size=16)
    assert torch.equal(torch.cat([targets for _, targets in parts]), whole[1])
    with pytest.raises(UserError, match="split=2 and batch_size=3 both cut a batch"):
        drawn(split=2, batch_size=3)


def test_a_second_pass_has_the_examples_in_another_order_and_augmented_anew() -> None:
    method = methods.get("grasp", redraw=True, batch_size=16, augment=True)
    passes = list(scoring_batches(method, DATA, RECIPE, generator(0)))
    first, second = passes[:3], passes[3:]
    assert [len(targets) for _, targets in second] == [16, 16, 8]
    once = scoring_batches(methods.get("grasp", batch_size=16, augment=True), DATA, RECIPE, generator(0))
    assert all(torch.equal(one[0], other[0]) for one, other in zip(once, first, strict=True))
    labels = [torch.cat([targets for _, targets in part]) for part in (first, second)]
    assert not torch.equal(*labels)
    assert torch.equal(labels[0].bincount(), labels[1].bincount())
    still = scoring_batches(methods.get("grasp", redraw=True), DATA, RECIPE, generator(0))
    images = [{tuple(image.flatten().tolist()) for image in batch[0]} for batch in still]
    assert images[0] == images[1], "the same examples"
