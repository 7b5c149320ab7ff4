"""A published table in part, and how its numbers meet our records."""

import math
from typing import Any

import pandas as pd
import pytest

import reproductions
from reproductions.panels import nearest
from sanity.errors import UserError


def record(**values: Any) -> dict[str, Any]:
    return {
        "dataset": "mnist", "model": "lenet_300_100", "recipe": "lee2019", "method": "snip@lee2019", "check": "none",
        "ratio": 0.95, "seed": 0, "status": "done", "last_test_accuracy": 98.0, "best_test_accuracy": 98.2, **values,
    }  # fmt: skip


def test_each_record_meets_the_number_of_its_own_cell() -> None:
    table = reproductions.load("lee2019_table1")
    frame = table.attach(
        pd.DataFrame([record(), record(seed=1), record(ratio=0.98), record(method="dense", ratio=0.0)])
    )
    met = frame[frame["status"] == "done"]
    assert list(met["paper_mean"]) == [98.3, 98.4, 98.4, 97.6]
    assert list(met["last_test_accuracy"]) == [98.0] * 4
    assert list(met["seed"]) == [0, 0, 1, 0]


def test_cells_without_a_run_are_there_with_their_numbers() -> None:
    frame = reproductions.load("lee2019_table1").attach(pd.DataFrame([record()]))
    missing = frame[frame["status"] == "missing"]
    assert len(frame) == 6
    assert list(zip(missing["model"], missing["method"], missing["ratio"], missing["paper_mean"], strict=True)) == [
        ("lenet_300_100", "dense", 0.0, 98.3),
        ("lenet_300_100", "snip@lee2019", 0.98, 97.6),
        ("lenet5", "dense", 0.0, 99.1),
        ("lenet5", "snip@lee2019", 0.98, 99.2),
        ("lenet5", "snip@lee2019", 0.99, 98.9),
    ]
    assert missing["last_test_accuracy"].isna().all()


def test_cells_come_in_the_tables_order_and_what_it_does_not_have_behind() -> None:
    mixed = [record(check="reinit"), record(ratio=0.98), record(seed=1), record(), record(method="dense", ratio=0.0)]
    frame = reproductions.load("lee2019_table1").attach(pd.DataFrame(mixed))
    done = frame[frame["status"] == "done"]
    assert list(zip(done["method"], done["ratio"], done["seed"], done["check"], strict=True)) == [
        ("dense", 0.0, 0, "none"),
        ("snip@lee2019", 0.95, 1, "none"),
        ("snip@lee2019", 0.95, 0, "none"),
        ("snip@lee2019", 0.98, 0, "none"),
        ("snip@lee2019", 0.95, 0, "reinit"),
    ]


def test_records_of_another_recipe_are_said_to_be_so() -> None:
    table = reproductions.load("lee2019_table1")
    assert table.as_measured(pd.DataFrame([record()])).title == table.title
    other = table.as_measured(pd.DataFrame([record(recipe="lee2019_code")]))
    assert other.title.endswith("(not as published: recipe lee2019_code)")
    assert set(other.attach(pd.DataFrame([record(recipe="lee2019_code")]))["recipe"]) == {"lee2019_code"}
    longer = table.as_measured(pd.DataFrame([record(overrides="init=lee2019 recipe.epochs=300")]))
    assert longer.title.endswith("(not as published: 300 epochs)")
    drawn = table.as_measured(pd.DataFrame([record(overrides="init=glorot")]))
    assert drawn.title.endswith("(not as published: initialisation glorot)")
    both = table.as_measured(pd.DataFrame([record(), record(seed=1, recipe="quick")]))
    assert both.title.endswith("recipe quick)")
    assert set(both.cells()["recipe"]) == {"lee2019"}


def test_records_of_other_questions_in_the_same_folder_change_no_title() -> None:
    table = reproductions.load("lee2019_table1")
    strange = [record(dataset="digits", recipe="quick"), record(check="reinit", recipe="quick")]
    assert table.as_measured(pd.DataFrame([record(), *strange])).title == table.title
    coded = table.as_measured(pd.DataFrame([record(recipe="lee2019_code"), *strange]))
    assert set(coded.cells()["recipe"]) == {"lee2019_code"}


@pytest.mark.parametrize(
    "change", [{"method": "snip"}, {"check": "reinit"}, {"model": "lenet5"}, {"dataset": "digits"}, {"ratio": 0.9}]
)
def test_a_record_of_no_cell_of_the_table_stays_without_a_number(change: dict[str, Any]) -> None:
    frame = reproductions.load("lee2019_table1").attach(pd.DataFrame([record(**change)]))
    assert frame["status"].value_counts().to_dict() == {"missing": 6, "done": 1}
    assert math.isnan(frame.loc[frame["status"] == "done", "paper_mean"].item())


def test_a_cell_without_a_number_says_that_none_was_seen() -> None:
    cell = record(dataset="cifar10", model="vgg19", method="dense", ratio=0.0)
    frame = reproductions.load("su2020_random_tickets").attach(pd.DataFrame([cell, record()]))
    dense = frame[frame["method"] == "dense"]
    assert set(dense["paper_source"]) == {"no printed number was seen"}
    assert dense["paper_mean"].isna().all()
    assert frame.loc[frame["method"] == "snip@lee2019", "paper_source"].isna().all()  # of no cell of the table


def test_numbers_are_not_attached_twice() -> None:
    table = reproductions.load("lee2019_table1")
    once = table.attach(pd.DataFrame([record()]))
    pd.testing.assert_frame_equal(table.attach(once[once["status"] == "done"]), once)


def test_a_rounded_ratio_is_the_ratio_that_was_meant() -> None:
    powers = [1 - 0.8**k for k in range(1, 19)]
    assert nearest(0.977, powers) == powers[16]
    assert nearest(0.9775, powers) == powers[16]
    assert nearest(0.98, powers) is None
    numbers = reproductions.load("renda2020_iterative").numbers
    deepest = numbers[numbers["ratio"] == 1 - 0.8**17]
    assert set(deepest["model"]) == {"resnet56"}
    assert len(deepest) == 9


def test_iterative_tables_take_as_many_rounds_as_the_power_says() -> None:
    import methods

    config = reproductions.load("renda2020_iterative").configs()[0]
    method = methods.get(
        "partially_trained", removed_per_round=config["options"]["partially_trained"]["removed_per_round"]
    )
    assert [len(method.ratios(ratio)) for ratio in config["ratio"]] == list(range(1, 11))


def test_a_part_of_a_table() -> None:
    whole = reproductions.load("su2020_initial_tickets")
    part = whole.narrow(methods="grasp", ratio=0.98, seeds=0, model="resnet32", dataset="cifar10")
    assert part.configs() == [
        {
            "recipe": "su2020", "methods": ["grasp@su2020"],
            "checks": ["random_labels+random_pixels", "layerwise_rearrange"], "ratio": [0.98], "seeds": [0],
            "dataset": "cifar10", "model": "resnet32", "options": {"model": {"width": "32"}},
        }
    ]  # fmt: skip
    assert len(part.cells()) == 3
    assert len(whole.cells()) == 112  # the whole is as it was


def test_narrowing_drops_the_options_of_what_is_gone_and_the_numbers_of_cells_that_are() -> None:
    part = reproductions.load("atanov2021_grasp").narrow(checks="layerwise_rearrange", ratio="0.4,0.9")
    assert not any("random_pixels" in panel["options"] for panel in part.panels)
    assert set(part.cells()["check"]) == {"none", "layerwise_rearrange"}
    assert len(part.numbers) == len(part.cells()) == 12
    assert set(part.numbers["ratio"]) == {0.4, 0.9}


def test_a_rounded_ratio_narrows() -> None:
    assert reproductions.load("frankle2021_lenet").narrow(ratio=[0.977, 0.2]).panels[0]["ratio"] == [0.2, 1 - 0.8**17]


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"methods": "snp"}, "unknown method of this table 'snp'. Did you mean 'snip'?"),
        ({"methods": "snip@lee2018"}, "Did you mean 'snip@lee2019'?"),
        ({"model": "lenet"}, "Did you mean 'lenet5'?"),
        ({"dataset": "mnsit"}, "Did you mean 'mnist'?"),
        ({"checks": "reinit"}, "unknown check of this table 'reinit'. Allowed: none"),
        ({"ratio": 0.5}, "ratio=0.5: the table has 0.95, 0.98, 0.99"),
        ({"model": "lenet5", "ratio": 0.95}, "ratio=0.95: the table has 0.98, 0.99"),
        ({"margin": 1}, "margin: a table is narrowed by"),
    ],
)
def test_a_part_that_does_not_exist_is_one_clear_line(wanted: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError) as error:
        reproductions.load("lee2019_table1").narrow(**wanted)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_another_copy_of_the_data_keeps_the_numbers() -> None:
    table = reproductions.load("wang2020_table2").on("cifar10", "imagefolder")
    frame = table.attach(pd.DataFrame([record(dataset="imagefolder", model="vgg19", method="snip", ratio=0.98)]))
    assert frame.loc[frame["status"] == "done", "paper_mean"].item() == 92.05
    assert set(frame["dataset"]) == {"imagefolder", "cifar100"}
    with pytest.raises(UserError, match="has cifar100 too"):
        table.on("imagefolder", "cifar100")


def test_options_of_a_check_in_a_package_meet_the_tables_rows() -> None:
    """The label of a table's row is that of the grid, for a name with dots too."""
    from sanity.cli.request import requested
    from sanity.grid.cells import cells

    check = "tests.reproductions.shift:Shift"
    keys = {"reproduction": "lee2019_table1", "model": "lenet5", "checks": f"none,{check}", f"{check}.by": "3,4"}
    request = requested(keys)
    assert request.title.endswith(f"with {check}, {check} by 3 and 4)")
    assert request.part is not None
    labels = {cell.check.label for config in request.configs for cell in cells(config)}
    assert labels == set(request.part.cells()["check"]) == {"none", f"{check}[by=3]", f"{check}[by=4]"}
