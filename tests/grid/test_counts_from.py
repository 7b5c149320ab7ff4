"""`allocation=from:METHOD`: layer counts are those of that method's mask, which is found first and named in results."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import methods
from methods.counts_from import method_of_counts
from methods.magnitude import Magnitude
from reports.labels import parse
from sanity.config import from_mapping
from sanity.errors import UserError
from sanity.grid import keys as names
from sanity.grid.predictions import predicted
from sanity.grid.task import DenseTraining, MaskSearch
from sanity.grid.tasks import tasks
from sanity.masks.layerwise import AllocationName
from sanity.run import prepare, run

Keys = dict[str, Any]


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return {
        "model": "lenet_300_100", "recipe.epochs": 1, "dataset.limit": 200, "dataset.test_limit": 100, "ratio": 0.9,
        "seeds": 0, "device": "cpu", "results_dir": str(tmp_path / "results"), "methods": "random", "checks": "none",
        "random.allocation": "from:snip",
    }  # fmt: skip


def layer_counts(row: Keys) -> list[int]:
    return [layer["kept"] for layer in row["layers"].values()]


def test_layer_counts_and_costs_are_those_of_the_named_method(keys: Keys) -> None:
    frame = run({
        **keys, "methods": "snip,random,synflow", "random.allocation": "from:snip,from:synflow",
        "synflow.allocation": "global,from:snip", "synflow.rounds": 2,
        "checks": "layerwise_rearrange,positions_of,random_labels", "positions_of.method": "snip",
    })  # fmt: skip
    assert set(frame["status"]) == {"done"}
    rows: Any = {(row["method"], row["check"]): row for row in frame.to_dict("records")}
    snip, taking = rows[("snip", "none")], rows[("random[allocation=from:snip]", "none")]
    assert layer_counts(taking) == layer_counts(snip)
    assert taking["search_cost"]["passes"] == snip["search_cost"]["passes"]
    assert taking["search_s"] > snip["search_s"] > 0
    assert taking["item_versions"] == {"random": 1, "snip": 1}
    assert layer_counts(rows[("random[allocation=from:synflow]", "none")]) != layer_counts(snip)
    rearranged = rows[("random[allocation=from:snip]", "layerwise_rearrange")]
    assert layer_counts(rearranged) == layer_counts(snip)
    assert taking["ticket"] != rearranged["ticket"] != rows[("snip", "layerwise_rearrange")]["ticket"]

    ranked = rows[("synflow[allocation=from:snip,rounds=2]", "none")]
    by_check = rows[("synflow[allocation=global,rounds=2]", "positions_of[method=snip]")]
    assert ranked["ticket"] == by_check["ticket"], "one ranking in one method's layer counts, asked for in two ways"

    noisy = rows[("random[allocation=from:snip]", "random_labels")]
    assert layer_counts(noisy) == layer_counts(rows[("snip", "random_labels")]) != layer_counts(snip)


def test_the_named_method_may_have_options_and_shares_its_search_with_a_run_that_has_them(keys: Keys) -> None:
    frame = run({
        **keys, "methods": "random,synflow", "synflow.rounds": 2, "synflow.schedule": "linear",
        "random.allocation": "from:synflow[rounds=2,schedule=linear],from:synflow[rounds=1]",
    })  # fmt: skip
    assert set(frame["status"]) == {"done"}
    rows: Any = frame.to_dict("records")
    two, one, synflow = rows
    assert two["method"] == "random[allocation=from:synflow[rounds=2,schedule=linear]]"
    assert layer_counts(two) == layer_counts(synflow) != layer_counts(one)
    assert two["search_cost"]["passes"] == synflow["search_cost"]["passes"] != one["search_cost"]["passes"]
    root = Path(keys["results_dir"])
    assert len(list(root.glob("tickets/*/ticket.json"))) == 2 + 2, "of random, and one of each SynFlow"
    assert [part.options for part in parse(two["method"])] == [
        (("allocation", "from:synflow[rounds=2,schedule=linear]"),)
    ]


def test_a_check_that_sets_the_counts_itself_leaves_no_other_method_to_be_asked(keys: Keys) -> None:
    experiment, cells = prepare(from_mapping({
        **keys, "random.allocation": "from:synflow", "checks": "positions_of", "positions_of.method": "snip",
    }))  # fmt: skip
    searched = [[task.cell for task in tasks(cell, experiment)[0] if isinstance(task, MaskSearch)] for cell in cells]
    assert [cell.method.label for cell in searched[0]] == ["synflow", "random[allocation=from:synflow]"]
    of_check = [(cell.method.name, cell.check.label) for cell in searched[1]]
    assert of_check[:2] == [("snip", "none"), ("random", "positions_of[method=snip]")]


def test_what_the_named_method_starts_from_is_planned_first(keys: Keys) -> None:
    experiment, cells = prepare(from_mapping({
        **keys, "random.allocation": "from:partially_trained", "checks": "random_labels",
    }))  # fmt: skip
    control, noisy = (tasks(cell, experiment)[0] for cell in cells)
    assert [type(task) for task in control] == [DenseTraining, MaskSearch, MaskSearch]
    trainings = [task.data.label for task in noisy if isinstance(task, DenseTraining)]
    assert trainings == ["random_labels", "none"], "of the cell and of its control"


def test_results_are_named_by_the_named_method(keys: Keys) -> None:
    options = ["global", "from:snip", "from:snip@lee2019", "from:random", "from:snip[rounds=2,schedule=linear]"]
    experiment, cells = prepare(from_mapping({**keys, "random.allocation": ",".join(options)}))
    masks = {task.key for cell in cells for task in tasks(cell, experiment)[0] if isinstance(task, MaskSearch)}
    assert len(masks) == len(options) + 3, "beside their own those of SNIP, thrice; that of random is there already"
    assert len({names.cell(cell, experiment) for cell in cells}) == len(options)


@pytest.mark.parametrize(
    ("check", "of_snip", "of_synflow"),
    [
        ("layerwise_rearrange", "null", "null"),  # positions are random, whatever decides on the counts
        ("invert", "null", "null"),
        ("random_labels", "open", "identical"),
        ("resample", "null", "identical"),
        ("sign_flip", "open", "null"),  # SynFlow's counts look at sizes alone
        ("reinit", "open", "open"),
        ("other_init", "open", "open"),
    ],
)
def test_predictions_hold_for_positions_and_for_counts(keys: Keys, check: str, of_snip: str, of_synflow: str) -> None:
    experiment, cells = prepare(from_mapping({**keys, "random.allocation": "from:snip,from:synflow", "checks": check}))
    found = [predicted(cell, experiment) for cell in cells if not cell.check.is_control]
    assert found == [of_snip, of_synflow]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"random.allocation": "from:snp"}, r"random\.allocation=from:snp: unknown method 'snp'\. Did you mean 'snip'"),
        ({"random.allocation": "from:snip@lee"}, "unknown variant of snip 'lee'"),
        ({"random.allocation": "from:"}, "should be from:METHOD, as in from:snip, or 'global'"),
        ({"random.allocation": "from:synflow[rounds]"}, r"from:synflow\[rounds\]: should be METHOD, METHOD@VARIANT or"),
        ({"random.allocation": "from:synflow[]"}, r"from:synflow\[\]: should be METHOD"),
        ({"random.allocation": "from:synflow[rounds=1,rounds=2]"}, r"with each option once, as in synflow\[rounds=1\]"),
        (
            {"random.allocation": "from:synflow[round=1]"},
            r"allocation=from:synflow\[round=1\]: unknown option of synflow",
        ),
        ({"random.allocation": "from:synflow[name=x]"}, r"from:synflow\[name=x\]: unknown option of synflow 'name'"),
        ({"random.allocation": "from:synflow[rounds=0]"}, r"from:synflow\[rounds=0\]: synflow\.rounds=0: should be"),
        ({"random.allocation": "from:snip[allocation=from:grasp]"}, "snip takes its layer counts from grasp itself"),
        (
            {"methods": "phew", "phew.allocation": "from:snip"},
            r"allocation=from:snip: has no effect, as the mask itself",
        ),
        ({"random.allocation": "from:imported"}, "imported reads its masks from files"),
        ({"random.allocation": "from:gmp"}, "gmp starts from the dense network"),
        ({"random.pattern": "2:4", "ratio": 0.5}, "pattern=2:4 allocation=from:snip: the pattern fixes how many"),
        ({"methods": "gmp", "gmp.allocation": "from:snip"}, "GMP: allocation=from:snip has no counts"),
        ({"dataset.limit": 60}, "snip 90 % seed|examples"),
        ({"random.allocation": "from:tests.grid.test_counts_from:Taking"}, "itself; name that one"),
    ],
)
def test_a_mistake_in_the_named_method_is_told_at_the_start(keys: Keys, change: Keys, message: str) -> None:
    random = {} if "methods" in change else {"random.allocation": keys["random.allocation"]}
    others = {name: value for name, value in keys.items() if name != "random.allocation"}
    with pytest.raises(UserError, match=message):
        prepare(from_mapping({**others, **random, **change}))


def test_outside_a_run_the_counts_are_asked_for() -> None:
    net = nn.Sequential(nn.Linear(20, 10), nn.ReLU(), nn.Linear(10, 5))
    method = methods.get("random", allocation="from:magnitude")
    assert method_of_counts(method) == methods.get("magnitude")
    with pytest.raises(UserError, match=r"method\.allocated\(CountsOf\.of\(mask\)\)"):
        method.mask(net, [(torch.zeros(1, 20), torch.zeros(1))], 0.5)


@dataclass(frozen=True, kw_only=True)
class Taking(Magnitude):
    """Magnitudes in the layer counts of SNIP."""

    allocation: AllocationName = "from:snip"
