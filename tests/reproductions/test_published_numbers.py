"""The published tables as they stand: numbers with sources, and grids that the suite can run."""

import subprocess
import sys
from dataclasses import replace

import pytest

import reproductions
from methods.base import Method
from reproductions import table
from reproductions.panels import CELL
from sanity import models, recipes
from sanity.config import from_mapping, options
from sanity.data import REGISTRY as DATASETS
from sanity.errors import UserError
from sanity.grid.cells import cells
from sanity.grid.moments import check_against

NAMES = reproductions.names()
ONE_SHOT = "partially_trained@frankle_carbin2019"
IMP = f"{ONE_SHOT}[removed_per_round=0.2]"
DEEP = "partially_trained[layers=convolutions,rewind=init,removed_per_round=0.2]"
DEEP_RESNET = "partially_trained[layers=convolutions,rewind=init,removed_per_round=0.2,spare=downsample]"
RANDOM = "random[allocation=layer_rates,removed_per_round=0.2]"
COVERED = [
    "su2020_random_tickets",
    "su2020_initial_tickets",
    "su2020_partially_trained",
    "su2020_hybrid",
    "su2020_cifar10",
    "atanov2021_random_tickets",
    "atanov2021_grasp",
    "atanov2021_snip",
    "atanov2021_partially_trained",
    "mshalimay2024_experiment1",
    "mshalimay2024_experiment2",
    "mshalimay2024_experiment3",
    "dettmers2019_mnist",
    "frankle_carbin2019_conv",
    "frankle_carbin2019_deep_high",
    "frankle_carbin2019_deep_low",
    "frankle_carbin2019_deep_warmup",
    "frankle_carbin2019_lenet",
    "gahaalt2019_snip",
    "ntt2020_mnist",
    "zhou2019_masks",
    "frankle2021_lenet",
    "frankle2021_cifar",
    "frankle2021_cifar_comp6258",
    "renda2020_one_shot",
    "renda2020_iterative",
    "tanaka2020_fig6",
    "wang2020_table2",
    "lee2019_table1",
    "lee2019_table2",
    "lee2019_table3",
    "lee2019_figure3",
    "liu2021_table2",
]


WHY = {
    "the suite has no such method",
    "the suite has no such model",
    "another recipe",
    "it is no test accuracy",
    "its ratio is not stated",
    "the cell has the accuracy after the last iteration",
    "the cell has the number of another curve",
    "a number of the table lee2019_table1",
}


def test_the_promised_tables_are_there() -> None:
    assert sorted(COVERED) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_number_has_a_source_that_was_seen(name: str) -> None:
    one = reproductions.load(name)
    for frame in (one.numbers, one.beyond):
        for source in frame["paper_source"]:
            assert source.split(":")[0] in table.CONFIDENCE
            assert "recall" not in source
    assert set(one.numbers["paper_metric"]) <= {"last", "best", "early_stopping", "unstated"}
    assert one.numbers["paper_mean"].between(0, 100).all()
    assert not (one.numbers["paper_std"] < 0).any()
    assert set(one.beyond["why"]) <= WHY


@pytest.mark.parametrize("name", NAMES)
def test_the_cells_of_a_table_are_those_that_its_runs_have(name: str) -> None:
    one = reproductions.load(name)
    ran = set()
    for config in map(from_mapping, one.configs()):
        for cell in cells(config):
            ran.add((config.dataset, config.model, cell.method.label, cell.check.label, cell.ratio))
    assert ran == set(one.cells()[CELL].itertuples(index=False, name=None))
    assert not one.cells().duplicated(CELL).any()
    assert set(one.numbers[CELL].itertuples(index=False, name=None)) <= ran
    assert not one.numbers.duplicated(CELL).any()


@pytest.mark.parametrize("name", NAMES)
def test_every_run_is_one_that_the_suite_can_do(name: str) -> None:
    for config in map(from_mapping, reproductions.load(name).configs()):
        assert config.dataset in DATASETS.names()
        assert not config.init or config.init in models.INITS.names()
        options.fill(models.REGISTRY.load(config.model), config.section("model"), "model")
        recipe = recipes.get(config.recipe, config.model, config.dataset, **config.section("recipe"))
        for spec in {cell.method for cell in cells(config) if cell.method.name != "dense"}:
            method = spec.build()
            assert isinstance(method, Method)
            check_against(method, spec.label, recipe)


@pytest.mark.parametrize(
    ("name", "dataset", "model", "method", "check", "ratio", "mean", "std", "n"),
    [
        ("su2020_random_tickets", "cifar10", "vgg19", "random_tickets@su2020", "none", 0.9, 93.77, None, None),
        ("su2020_random_tickets", "cifar10", "vgg19", "random_tickets@su2020", "none", 0.98, 92.45, None, None),
        ("su2020_random_tickets", "cifar100", "resnet32", "random_tickets@su2020", "none", 0.98, 60.11, None, None),
        ("su2020_cifar10", "cifar10", "resnet32", "dense", "none", 0.0, 94.69, None, 1),
        ("su2020_cifar10", "cifar10", "vgg19", "snip@su2020", "random_labels+random_pixels", 0.98, 49.13, None, 1),
        ("su2020_cifar10", "cifar10", "resnet32", "grasp@su2020", "random_labels+random_pixels", 0.98, 88.8, None, 1),
        ("su2020_cifar10", "cifar10", "vgg19", "partially_trained@su2020", "none", 0.98, 10.0, None, 1),
        ("su2020_cifar10", "cifar10", "resnet32", "random_tickets@su2020", "none", 0.98, 89.1, None, None),
        ("su2020_cifar10", "cifar10", "resnet32", "hybrid_tickets@su2020", "none", 0.98, 90.47, None, 1),
        ("atanov2021_random_tickets", "cifar10", "resnet32", "random_tickets@atanov2021", "none", 0.95, 91.64, None, 1),
        ("atanov2021_random_tickets", "cifar100", "vgg19", "random_tickets@atanov2021", "none", 0.98, 68.77, None, 1),
        ("atanov2021_grasp", "cifar10", "resnet32", "grasp@atanov2021", "none", 0.98, 88.09, None, 1),
        ("atanov2021_grasp", "cifar10", "vgg19", "grasp@atanov2021", "layerwise_rearrange", 0.4, 93.36, None, 1),
        ("atanov2021_grasp", "cifar10", "resnet32", "grasp@atanov2021",
         "random_labels+random_pixels[channels=together]", 0.98, 88.80, None, 1),
        ("atanov2021_snip", "cifar10", "vgg19", "snip@atanov2021",
         "random_labels+random_pixels", 0.98, 49.13, None, 1),
        ("atanov2021_snip", "cifar100", "vgg19", "snip@atanov2021", "none", 0.98, 14.03, None, 1),
        ("atanov2021_snip", "cifar100", "resnet32", "dense", "none", 0.0, 74.22, None, 1),
        ("atanov2021_partially_trained", "cifar10", "vgg19", "partially_trained@atanov2021", "none", 0.98, 10.0,
         None, 1),
        ("atanov2021_partially_trained", "cifar10", "vgg19", "hybrid_tickets@atanov2021", "none", 0.98, 92.93, None, 1),
        ("atanov2021_partially_trained", "cifar10", "resnet32", "dense", "none", 0.0, 94.69, None, 1),
        ("frankle2021_cifar_comp6258", "cifar10", "vgg16", "snip@frankle2021", "invert", 0.3, 10.0, None, 1),
        ("frankle2021_cifar_comp6258", "cifar10", "vgg16", "grasp@frankle2021", "layerwise_rearrange", 0.98, 85.91,
         None, 1),
        ("frankle2021_cifar_comp6258", "cifar10", "vgg16", "dense", "none", 0.0, 92.62, None, 1),
        ("renda2020_one_shot", "cifar10", "vgg16", "dense", "none", 0.0, 93.326, 0.193, 246),
        ("tanaka2020_fig6", "cifar100", "vgg11", "snip@tanaka2020", "none", 0.9, 67.937, 0.424, 3),
        ("tanaka2020_fig6", "cifar100", "vgg11", "snip@tanaka2020", "none", 0.43765867, 70.107, 0.136, 3),
        ("wang2020_table2", "cifar10", "vgg19", "snip", "none", 0.98, 92.05, 0.28, None),
        ("wang2020_table2", "cifar100", "vgg19", "grasp@wang2020", "none", 0.995, 60.21, None, None),
        ("wang2020_table2", "cifar100", "resnet32", "grasp@wang2020[examples_per_class=5,batches=2]", "none", 0.98,
         58.43, None, None),
        ("wang2020_table2", "cifar10", "vgg19", "partially_trained[rewind=weights]", "none", 0.95, 92.92, None, None),
        ("liu2021_table2", "cifar100", "resnet50", "synflow", "none", 0.9, 73.37, None, None),
        ("lee2019_table1", "mnist", "lenet_300_100", "snip@lee2019", "none", 0.95, 98.4, None, 20),
        ("frankle_carbin2019_lenet", "mnist", "lenet_300_100", IMP, "none", 0.964174, 97.986, None, 5),
        ("frankle_carbin2019_lenet", "mnist", "lenet_300_100", IMP, "reinit", 0.964174, 96.94, None, 25),
        ("frankle_carbin2019_lenet", "mnist", "lenet_300_100", ONE_SHOT, "none", 0.89831, 98.056, None, 5),
        ("frankle_carbin2019_lenet", "mnist", "lenet_300_100", RANDOM, "none", 0.964174, 96.056, None, 10),
        ("frankle_carbin2019_conv", "cifar10", "conv2", IMP, "none", 0.91192, 69.264, None, 5),
        ("frankle_carbin2019_conv", "cifar10", "conv2", IMP, "reinit", 0.954251, 64.6906, None, 15),
        ("frankle_carbin2019_conv", "cifar10", "conv6", RANDOM, "none", 0.953644, 66.67, None, 10),
        ("frankle_carbin2019_deep_high", "cifar10", "vgg19", DEEP, "none", 0.487875, 91.688, None, 5),
        ("frankle_carbin2019_deep_high", "cifar10", "resnet20", DEEP_RESNET, "reinit", 0.583426, 89.748, None, 5),
        ("zhou2019_masks", "cifar10", "conv4", "dense", "none", 0.0, 75.4, None, None),
        ("gahaalt2019_snip", "mnist", "lenet_300_100", "snip@gahaalt2019[examples=60000]", "none", 0.95, 97.84, None,
         None),
        ("gahaalt2019_snip", "mnist", "lenet5_small", "snip@gahaalt2019[examples=60000]", "none", 0.96, 98.175, None,
         10),
        ("dettmers2019_mnist", "mnist", "lenet_300_100", "random", "none", 0.98, 82.806, 6.5174, 5),
        ("ntt2020_mnist", "mnist", "lenet5", "random[allocation=uniform]", "none", 0.97, 96.725, 0.4172, 2),
        ("lee2019_table1", "mnist", "lenet5", "snip@lee2019", "none", 0.99, 98.9, None, 20),
        ("lee2019_table2", "cifar10", "vgg16", "snip@lee2019[examples=128]", "none", 0.97, 92.0, None, None),
        ("lee2019_table3", "mnist", "lenet_300_100", "snip@lee2019[score_weights=random_normal]", "none", 0.9, 98.1,
         0.09, 20),
        ("lee2019_table3", "mnist", "lenet5", "snip@lee2019[score_weights=he]", "none", 0.9, 99.15, 0.05, 20),
        ("lee2019_figure3", "mnist", "lenet_300_100", "snip@lee2019[examples=10000]", "none", 0.9, 98.6, None, None),
    ],
)  # fmt: skip
def test_numbers_are_the_printed_ones(
    name: str,
    dataset: str,
    model: str,
    method: str,
    check: str,
    ratio: float,
    mean: float,
    std: float | None,
    n: int | None,
) -> None:
    by_cell = {tuple(row[key] for key in CELL): row for row in reproductions.load(name).numbers.to_dict("records")}
    found = by_cell[dataset, model, method, check, ratio]
    assert found["paper_mean"] == pytest.approx(mean, abs=1e-9)
    assert found["paper_std"] == pytest.approx(std) if std is not None else found["paper_std"] != found["paper_std"]
    assert found["paper_n"] == n if n is not None else found["paper_n"] != found["paper_n"]


def test_numbers_taken_over_from_other_tables_are_all_there() -> None:
    """CIFAR-10 at three ratios and two networks: random, hybrid and partially-trained tickets, SNIP and GraSP with two
    checks each, and the dense networks."""
    numbers = reproductions.load("su2020_cifar10").numbers
    assert numbers.groupby("method").size().to_dict() == {
        "dense": 2,
        "grasp@su2020": 18,
        "hybrid_tickets@su2020": 6,
        "partially_trained@su2020": 6,
        "random_tickets@su2020": 6,
        "snip@su2020": 18,
    }


def test_a_tables_own_number_goes_before_one_taken_over() -> None:
    own = reproductions.load("lee2019_table1")
    other = replace(own, numbers=own.numbers.assign(paper_mean=1.0))
    assert own.borrowing(other, {}).numbers["paper_mean"].tolist() == own.numbers["paper_mean"].tolist()
    bare = replace(own, numbers=own.numbers[:1])
    assert sorted(bare.borrowing(other, {}).numbers["paper_mean"]) == [1.0] * 5 + [98.3]


def test_an_error_becomes_an_accuracy_and_stays_as_printed() -> None:
    found = reproductions.load("lee2019_table3").numbers.iloc[0]
    assert (found["paper_printed"], found["paper_unit"]) == ("1.90", "test error %")
    assert found["paper_mean"] == 98.1


def test_the_last_epochs_accuracy_is_told_from_an_unstated_one() -> None:
    assert set(reproductions.load("atanov2021_grasp").numbers["paper_metric"]) == {"last"}
    assert set(reproductions.load("su2020_random_tickets").numbers["paper_metric"]) == {"unstated"}


def test_dense_networks_at_compression_one_are_one_of_fifteen_runs() -> None:
    numbers = reproductions.load("tanaka2020_fig6").numbers
    dense = numbers[(numbers["method"] == "dense") & (numbers["dataset"] == "cifar100") & (numbers["model"] == "vgg11")]
    runs = [70.04, 70.46, 70.18, 69.97, 69.92, 70.04, 70.06, 70.11, 69.75, 69.53, 70.13, 70.36, 70.42, 69.67, 70.11]
    assert dense["paper_mean"].item() == pytest.approx(sum(runs) / 15, abs=5e-4)
    assert dense["paper_n"].item() == 15


def test_what_the_suite_cannot_run_is_kept_apart_with_the_reason() -> None:
    beyond = reproductions.load("lee2019_table2").beyond.set_index(["model", "method"])
    assert beyond.loc[("WRN-22-8", "SNIP"), "paper_mean"] == pytest.approx(94.15)
    assert beyond.loc[("WRN-22-8", "SNIP"), "why"] == "the suite has no such model"
    assert set(reproductions.load("wang2020_table2").beyond["why"]) == {"the suite has no such method"}


@pytest.mark.parametrize(
    "name", ["su2020_initial_tickets", "su2020_partially_trained", "su2020_hybrid", "frankle2021_lenet"]
)
def test_a_table_without_numbers_says_so(name: str) -> None:
    one = reproductions.load(name)
    assert one.numbers.empty
    assert len(one.cells()) > 0
    assert "o printed number" in one.description


def test_a_misspelt_table_is_one_line() -> None:
    with pytest.raises(UserError, match=r"unknown reproduction 'su2020_hybird'\. Did you mean 'su2020_hybrid'"):
        reproductions.load("su2020_hybird")


def test_naming_and_loading_need_no_torch() -> None:
    code = (
        "import sys, reproductions; from sanity.run import main; assert main(['reproductions=list']) == 0; "
        "assert 'pandas' not in sys.modules; [reproductions.load(name).cells() for name in reproductions.names()]; "
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == NAMES
