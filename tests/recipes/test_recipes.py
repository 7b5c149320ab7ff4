"""Recipes: the papers' numbers, overrides, and mistakes in one line."""

import subprocess
import sys
from dataclasses import asdict
from typing import Any

import pytest

from sanity import recipes
from sanity.errors import UserError


@pytest.mark.parametrize(
    ("name", "model", "dataset", "numbers"),
    [
        (
            "su2020",
            "vgg19",
            "cifar10",
            {"epochs": 160, "batch_size": 64, "weight_decay": 1e-4, "milestones": (80, 120)},
        ),
        ("su2020", "resnet32", "tiny_imagenet", {"epochs": 300, "milestones": (150, 225)}),
        ("wang2020", "vgg19", "cifar10", {"batch_size": 128, "weight_decay": 5e-4, "milestones": (80, 120)}),
        ("wang2020", "resnet32", "cifar100", {"batch_size": 128, "weight_decay": 1e-4, "normalise": "dataset"}),
        (
            "frankle2021",
            "lenet_300_100",
            "mnist",
            {"epochs": 40, "momentum": 0, "weight_decay": 0, "schedule": "constant"},
        ),
        ("frankle2021", "vgg16", "cifar10", {"normalise": "imagenet", "weight_decay": 1e-4, "crop_padding": 4}),
        ("frankle2021", "resnet18", "tiny_imagenet", {"batch_size": 256, "lr": 0.2, "warmup_epochs": 5}),
        (
            "frankle2021",
            "resnet18",
            "tiny_imagenet",
            {"normalise": "frankle2021_tiny", "crop_padding": 4, "flip": True},
        ),
        (
            "frankle2021",
            "resnet50",
            "imagenet",
            {"epochs": 90, "batch_size": 1024, "lr": 0.4, "milestones": (30, 60, 80), "warmup_epochs": 5}
            | {"nesterov": False, "decay_norm": True, "crop_scale": (0.1, 1.0), "crop_ratio": (0.8, 1.25)},
        ),
        (
            "renda2020",
            "resnet50",
            "imagenet",
            {"epochs": 90, "batch_size": 1024, "lr": 0.4, "weight_decay": 1e-4, "warmup_epochs": 5}
            | {"nesterov": True, "decay_norm": False, "crop_scale": (0.08, 1.0), "crop_padding": 0},
        ),
        ("goyal2017", "resnet50", "imagenet", {"batch_size": 256, "lr": 0.1, "flip": True, "label_smoothing": 0.0}),
        (
            "evci2020",
            "resnet50",
            "imagenet",
            {"batch_size": 4096, "lr": 1.6, "milestones": (30, 70, 90), "label_smoothing": 0.1, "warmup_epochs": 5},
        ),
        ("su2020", "vgg19", "cifar10", {"normalise": "per_image_std"}),
        ("wang2020", "vgg19", "cifar10", {"normalise": "per_image_std"}),
        ("tanaka2020", "vgg16", "cifar10", {"normalise": "pixel_std"}),
        ("tanaka2020", "vgg16", "cifar100", {"normalise": "dataset"}),
        ("atanov2021", "vgg19", "cifar10", {"normalise": "per_image_std"}),
        ("atanov2021_random", "vgg19", "cifar10", {"normalise": "per_image_std"}),
        ("atanov2021_snip", "vgg19", "cifar10", {"normalise": "pixel_std"}),
        ("lee2019", "vgg16", "cifar10", {"normalise": "pixel_std"}),
        ("lee2019_code", "vgg16", "cifar10", {"normalise": "pixel_std"}),
        ("lee2019", "lenet_300_100", "mnist", {"normalise": "dataset"}),
        ("renda2020", "vgg16", "cifar10", {"epochs": 182, "milestones": (91, 136), "weight_decay": 5e-4}),
        ("renda2020", "resnet20", "cifar10", {"weight_decay": 2e-4}),
        ("tanaka2020", "vgg16", "cifar100", {"nesterov": True, "milestones": (60, 120), "weight_decay": 1e-4}),
        ("atanov2021", "vgg19", "cifar10", {"batch_size": 128, "weight_decay": 5e-4}),
        ("atanov2021_snip", "vgg19", "cifar10", {"batch_size": 64, "weight_decay": 1e-4}),
        ("atanov2021_random", "resnet32", "cifar10", {"batch_size": 128, "weight_decay": 5e-4}),
        ("lee2019", "lenet_300_100", "mnist", {"batch_size": 100, "flip": False, "holdout": 0.1, "lr": 0.1}),
        (
            "lee2019_code",
            "lenet5",
            "mnist",
            {"epochs": 19, "batch_size": 100, "momentum": 0, "schedule": "constant", "weight_decay": 5e-4},
        ),
        ("lee2019_code", "vgg16", "cifar10", {"epochs": 427, "momentum": 0.9, "gamma": 0.2, "flip": True}),
        ("lee2019_code", "vgg16", "cifar10", {"decay_norm": False}),
        ("lee2019_code", "lenet5", "mnist", {"decay_norm": True}),
        ("lee2019", "vgg16", "cifar10", {"batch_size": 128, "flip": True, "crop_padding": 4, "weight_decay": 5e-4}),
        ("frankle_carbin2019", "lenet_300_100", "mnist", {"lr": 0.0012, "epochs": 55, "batch_size": 60}),
        ("frankle_carbin2019", "conv4", "cifar10", {"optimizer": "adam", "lr": 0.0003, "epochs": 34, "holdout": 0.1}),
        ("frankle_carbin2019", "conv6", "cifar10", {"lr": 0.0003, "epochs": 40, "flip": False}),
        ("frankle_carbin2019", "vgg19", "cifar10", {"lr": 0.1, "batch_size": 64, "holdout": 0.1, "flip": True}),
        ("frankle_carbin2019", "resnet20", "cifar10", {"epochs": 86, "batch_size": 128, "weight_decay": 1e-4}),
        ("gahaalt2019", "lenet5_small", "mnist", {"optimizer": "adam", "lr": 0.0012, "epochs": 80, "gamma": 0.99}),
        ("dettmers2019", "lenet_300_100", "mnist", {"epochs": 100, "nesterov": True, "weight_decay": 5e-4}),
        ("dettmers2019", "lenet_300_100", "mnist", {"milestones": (25_000 / 540, 50_000 / 540), "holdout": 0.1}),
        ("ntt2020", "lenet5", "mnist", {"optimizer": "adam", "lr": 0.001, "epochs": 50, "batch_size": 64}),
    ],
)
def test_a_recipe_has_its_papers_numbers(name: str, model: str, dataset: str, numbers: dict[str, object]) -> None:
    recipe = asdict(recipes.get(name, model, dataset))
    assert {key: recipe[key] for key in numbers} == numbers


def test_lee2019_decays_every_25k_iterations_of_its_540_step_epochs() -> None:
    milestones = recipes.get("lee2019", "lenet_300_100", "mnist").milestones
    assert milestones == tuple(step / 540 for step in (25_000, 50_000, 75_000, 100_000, 125_000))


def test_the_code_of_lee2019_decays_images_in_colour_four_times() -> None:
    milestones = recipes.get("lee2019_code", "vgg16", "cifar10").milestones
    assert [round(milestone * 352) for milestone in milestones] == [30_000, 60_000, 90_000, 120_000]


def test_overrides_come_as_text_or_values() -> None:
    assert recipes.get("quick", lr="0.05", optimizer="adam", flip="true") == recipes.get(
        "quick", lr=0.05, optimizer="adam", flip=True
    )
    assert recipes.get("su2020", milestones="1,2.5").milestones == (1.0, 2.5)


def test_milestones_and_warm_up_keep_their_place_when_only_the_length_changes() -> None:
    assert recipes.get("su2020", epochs=16).milestones == (8.0, 12.0)
    assert recipes.get("frankle2021", "resnet18", "tiny_imagenet", epochs=40).warmup_epochs == 1.0
    assert recipes.get("su2020", epochs=16, milestones="2").milestones == (2.0,)


@pytest.mark.parametrize(
    ("name", "overrides", "says"),
    [
        ("su202", {}, "Did you mean 'su2020'"),
        ("su2020", {"optimiser": "adam"}, "Did you mean 'optimizer'"),
        ("su2020", {"lr": 0}, "recipe.lr=0: should be greater than 0"),
        ("su2020", {"lr": "nan"}, "recipe.lr=nan"),
        ("su2020", {"optimizer": "lion"}, "recipe.optimizer=lion"),
        ("su2020", {"epochs": "1.5"}, "recipe.epochs=1.5"),
        ("su2020", {"milestones": "120,80"}, "recipe.milestones=120,80: must rise"),
        ("su2020", {"betas": "0.9"}, "recipe.betas=['0.9']: field required"),
        ("su2020", {"betas": "0.9,1"}, "recipe.betas=1"),
        ("su2020", {"clip_norm": "0"}, "recipe.clip_norm=0"),
        ("su2020", {"label_smoothing": "1"}, "recipe.label_smoothing=1"),
        ("su2020", {"milestones": "a"}, "recipe.milestones=a"),
        ("su2020", {"warmup_epochs": 161}, "recipe.warmup_epochs=161"),
        ("quick", {"crop_scale": "0.5,0.1"}, "recipe.crop_scale=0.5,0.1: the first is the least"),
        ("quick", {"crop_scale": "0,1"}, "recipe.crop_scale"),
        ("quick", {"crop_ratio": "2,1"}, "recipe.crop_ratio=2,1: the first is the least"),
        ("quick", {"crop_scale": "0.1,1", "crop_padding": "4"}, "both crop; set one of them"),
        ("quick", {"min_lr": "-1"}, "recipe.min_lr=-1"),
        ("tanaka2020", {"momentum": 0}, "recipe.nesterov=true"),
    ],
)
def test_a_mistake_is_one_line_that_names_key_and_value(name: str, overrides: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError) as caught:
        recipes.get(name, **overrides)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_transformers_need_is_given_by_keys_and_described_by_them() -> None:
    keys = {
        "betas": "0.9,0.95",
        "clip_norm": "1",
        "label_smoothing": "0.1",
        "decay_bias": "false",
        "schedule": "cosine",
    }
    recipe = recipes.get("quick", optimizer="adamw", **keys)
    assert (recipe.betas, recipe.clip_norm, recipe.decay_bias) == ((0.9, 0.95), 1.0, False)
    assert "recipe.betas=0.9,0.95 " in recipes.describe(recipe)
    assert "recipe.clip_norm=null " in recipes.describe(recipes.get("quick"))


@pytest.mark.parametrize("name", recipes.NAMES)
def test_the_description_of_a_recipe_gives_it_back(name: str) -> None:
    for dataset in ("cifar10", "imagenet"):
        recipe = recipes.get(name, "vgg19", dataset)
        pairs = (item.removeprefix("recipe.").split("=") for item in recipes.describe(recipe).split(" "))
        assert recipes.get("quick", **dict(pairs)) == recipe
    assert recipes.summary(name)


def test_recipes_import_without_torch() -> None:
    code = "import sys, sanity.recipes, sanity.training.lr_schedule; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
