"""`reproduction=NAME` as a user meets it: a part of a table runs, departures are named, nothing is left out."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import reproductions
from reports.__main__ import main as report
from sanity import recipes
from sanity.cli.request import requested
from sanity.config import from_mapping
from sanity.errors import UserError
from sanity.run import main, run

TINY = {
    "reproduction": "lee2019_table1",
    "dataset": "digits",
    "model": "lenet_300_100",
    "ratio": "0.95",
    "seeds": "0,1",
    "recipe.epochs": "1",
    "dataset.limit": "200",
    "dataset.test_limit": "100",
    "precision": "fp32",
}


def words(**keys: str) -> list[str]:
    return [f"{key}={value}" for key, value in {**TINY, **keys}.items()]


def test_a_part_of_a_table_runs_and_prints_deltas(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(words(results_dir=str(tmp_path / "results"), report_dir=str(tmp_path / "report"))) == 0
    shown = " ".join(capfd.readouterr().out.split())
    assert "98.40 (20)" in shown
    assert "delta" in shown
    departures = "(not as published: data set digits for mnist, 1 epoch, 200 training examples, 100 test examples)"
    assert f"Lee et al. 2019 (SNIP): table 1, LeNets on MNIST {departures}" in shown
    assert "2 of 2 cells have a printed number" in shown
    assert "4 more cells of the table have no run; the report lists them as missing" in shown
    report = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert report.splitlines()[2] == f"**Lee et al. 2019 (SNIP): table 1, LeNets on MNIST {departures}**"
    assert "lenet5" in report
    assert "verbatim: full paper text" in report


def test_from_python_the_whole_table_comes_back(tmp_path: Path) -> None:
    frame = run({**TINY, "results_dir": str(tmp_path)})
    assert frame["status"].value_counts().to_dict() == {"done": 4, "missing": 4}
    done = frame[frame["status"] == "done"]
    assert list(done["method"]) == ["dense", "dense", "snip@lee2019", "snip@lee2019"]  # in the table's order
    assert list(done["paper_mean"]) == [98.3, 98.3, 98.4, 98.4]
    assert list(done["seed"]) == [0, 1, 0, 1]
    assert list(frame.loc[frame["status"] == "missing", "model"]) == ["lenet_300_100"] + ["lenet5"] * 3


def test_a_table_typed_by_hand_is_the_same_run(tmp_path: Path) -> None:
    table = run({**TINY, "methods": "snip", "results_dir": str(tmp_path)})
    settings = {key: value for key, value in TINY.items() if key != "reproduction"}
    hand = {
        "methods": "snip@lee2019",
        "checks": "none",
        "recipe": "lee2019",
        "recipe.for": "mnist",
        "init": "lee2019",
        "results_dir": str(tmp_path),
    }
    again = run({**settings, **hand})
    assert list(again["cell"]) == list(table.loc[table["status"] == "done", "cell"])


def test_all_panels_are_checked_before_the_first_is_trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = {
        "reproduction": "tanaka2020_fig6",
        "dataset": "cifar10:digits",
        "model": "vgg11,resnet18",
        "methods": "random",
    }
    assert main(words(results_dir=str(tmp_path), ratio="0.9", **{**keys, "model.bias": "true"})) == 2
    assert "unknown option of model resnet18 'bias'. Allowed: stem" in capsys.readouterr().err
    assert not list(tmp_path.glob("trainings/*"))


def test_settings_override_the_tables() -> None:
    (config,) = requested({**TINY, "recipe.epochs": 7, "device": "cpu"}).configs
    assert config.section("recipe") == {"for": "mnist", "epochs": 7}
    assert (config.device, config.recipe, config.init, config.methods) == (
        "cpu",
        "lee2019",
        "lee2019",
        ("dense", "snip@lee2019"),
    )


def test_what_is_the_tables_own_is_no_departure() -> None:
    asked = {
        "reproduction": "lee2019_figure3",
        "snip.examples": "10,100",
        "seeds": "0,1,2",
        "init": "lee2019",
        "margin": 1,
    }
    request = requested(asked)
    assert request.title == "Lee et al. 2019 (SNIP): figure 3, the size of the batch that is scored"
    assert request.configs[0].section("snip") == {"examples": "10,100"}
    assert request.configs[0].seeds == (0, 1, 2)
    assert "(not as published: snip examples 64)" in requested({**asked, "snip.examples": 64}).title


def test_a_recipe_in_place_of_the_tables_takes_none_of_its_settings() -> None:
    request = requested({"reproduction": "lee2019_table3", "recipe": "quick", "recipe.epochs": 3, "model": "lenet5"})
    assert request.configs[0].section("recipe") == {"epochs": 3}
    copy = {"reproduction": "su2020_cifar10", "dataset": "imagefolder", "recipe": "wang2020", "recipe.epochs": 3}
    assert requested(copy).configs[0].section("recipe") == {"for": "cifar10", "epochs": 3}
    assert set(request.report(pd.DataFrame([_record()]))["recipe"]) == {"quick"}


def test_options_concern_the_panels_that_have_the_part() -> None:
    checks = {"reproduction": "atanov2021_snip", "random_pixels.channels": "mixed"}
    first, second, *_ = requested(checks).configs
    assert (first.dataset, first.section("random_pixels")) == ("cifar10", {"channels": "mixed"})
    assert (second.dataset, second.section("random_pixels")) == ("cifar100", {})


def test_a_tables_tickets_may_be_put_to_further_checks() -> None:
    request = requested({**TINY, "checks": "random_labels,reinit"})
    assert request.configs[0].checks == ("none", "random_labels", "reinit")
    assert "with random_labels, with reinit" in request.title
    own = requested({"reproduction": "su2020_initial_tickets", "checks": "layerwise_rearrange", "dataset": "cifar10"})
    assert own.configs[0].checks == ("layerwise_rearrange",)
    assert "not as published" not in own.title


def test_a_table_without_numbers_says_so_in_its_title() -> None:
    title = requested({"reproduction": "frankle2021_lenet", "recipe.epochs": 2}).title
    assert title.endswith("under ablations (not as published: 2 epochs) (no printed number was seen)")


def test_one_of_several_data_sets_may_be_another_copy() -> None:
    request = requested({"reproduction": "su2020_hybrid", "dataset": "cifar10:imagefolder"})
    assert {config.dataset for config in request.configs} == {"imagefolder"}
    assert request.title.endswith("(not as published: data set imagefolder for cifar10) (no printed number was seen)")
    assert request.table is not None
    assert {panel["dataset"] for panel in request.table.panels} == {"imagefolder", "cifar100"}


def test_a_copy_is_trained_on_as_the_papers_data_are() -> None:
    """Recipes go by the name of the data set: CIFAR-10's deviations, MNIST without crops and mirrors."""
    for name, dataset in (("su2020_random_tickets", "cifar10"), ("lee2019_table1", "mnist")):
        own = [from_mapping(panel) for panel in reproductions.load(name).narrow(dataset=dataset).configs()]
        copies = requested({"reproduction": name, "dataset": f"{dataset}:imagefolder"}).configs
        for config, copy in zip(own, copies, strict=True):
            trained = recipes.get(config.recipe, config.model, config.dataset, **config.section("recipe"))
            assert recipes.get(copy.recipe, copy.model, copy.dataset, **copy.section("recipe")) == trained
    longer = requested({"reproduction": "lee2019_table1", "dataset": "imagefolder", "recipe.epochs": 100}).configs[0]
    recipe = recipes.get(longer.recipe, longer.model, longer.dataset, **longer.section("recipe"))
    assert recipe == recipes.get("lee2019", longer.model, "mnist", epochs=100)


def test_a_copys_records_meet_the_numbers_only_where_told_what_they_stand_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run({**TINY, "seeds": "0", "methods": "dense", "results_dir": str(tmp_path)})
    asked = [str(tmp_path), "--reproduction", "lee2019_table1", "--format", "csv,md", "--quiet"]
    assert report(asked) == 2
    assert "--dataset mnist:digits sets one for the other" in capsys.readouterr().err
    assert report([*asked, "--dataset", "digits"]) == 0
    text = (tmp_path / "report.md").read_text()
    assert "data set digits for mnist, 200 training examples" in text.splitlines()[2]
    assert "1 measured cell cannot be judged" in text


def test_settings_that_make_two_tickets_of_a_table_the_same_are_one_line() -> None:
    words = {"reproduction": "su2020_cifar10", "partially_trained.rewind": "weights"}
    with pytest.raises(UserError, match="make two of the table's tickets the same"):
        requested({**words, "partially_trained.rewind_epoch": 8})
    later = requested({"reproduction": "su2020_cifar10", "partially_trained.rewind_epoch": 8})
    assert "partially_trained rewind epoch 8" in later.title  # the learning rate was rewound to 0


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"reproduction": "lee2019_tabel1"}, "Did you mean 'lee2019_table1'?"),
        ({"methods": "grasp"}, "unknown method of this table 'grasp'"),
        ({"checks": "random_lables"}, "unknown check 'random_lables'. Did you mean 'random_labels'?"),
        ({"sedes": "1"}, "unknown key 'sedes'. Did you mean 'seeds'?"),
        ({"snip.exmples": "3"}, "Did you mean 'examples'?"),
        ({"grasp.batches": "3"}, "grasp is neither among the methods nor among the checks of this run"),
        ({"dataset": "digts"}, "unknown data set 'digts'. Did you mean 'digits'?"),
        (
            {"reproduction": "su2020_hybrid", "dataset": "imagefolder"},
            "say which it stands for: dataset=cifar10:imagefolder",
        ),
        ({"recipe.for": "mnsit"}, "unknown recipe.for 'mnsit'. Did you mean 'mnist'?"),
        ({"dataset": "cifar10:digits"}, "unknown dataset of this table 'cifar10'"),
    ],
)
def test_mistakes_are_one_line(
    keys: dict[str, str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(results_dir=str(tmp_path), **keys)) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_a_config_that_names_a_table_cannot_tell_what_overrides_it() -> None:
    from sanity.config import from_mapping

    with pytest.raises(UserError, match="give a mapping"):
        run(from_mapping({"reproduction": "lee2019_table1"}))


def test_dry_run_shows_every_panel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = {"model": "lenet5,lenet_300_100", "ratio": "0.98", "results_dir": str(tmp_path), "dry_run": "true"}
    assert main(words(**keys)) == 0
    shown = capsys.readouterr().out
    assert "lenet5" in shown
    assert "lenet_300_100" in shown
    assert not list(tmp_path.glob("trainings/*"))


@pytest.mark.parametrize("help_of", [lambda: main(["--help"]), lambda: main(["reproductions=list"])])
def test_tables_are_in_the_help(help_of: Callable[[], int], capsys: pytest.CaptureFixture[str]) -> None:
    assert help_of() == 0
    assert "su2020_random_tickets Su et al. 2020: random tickets" in " ".join(capsys.readouterr().out.split())


def test_a_table_has_its_own_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help", "su2020_random_tickets"]) == 0
    shown = capsys.readouterr().out
    assert "arXiv 2009.11094" in shown
    assert "16 cells, 12 with a printed number" in shown


def _record() -> dict[str, object]:
    return {
        "dataset": "mnist", "model": "lenet5", "recipe": "quick", "method": "snip@lee2019[score_weights=he]",
        "check": "none", "ratio": 0.9, "seed": 0, "status": "done",
    }  # fmt: skip
