"""The invariants prove a third party's method or check, and say clearly what is wrong with a broken one."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from torch import Tensor, nn

import checks
import methods
from checks import transfer
from methods.base import Batches, Method
from sanity.invariants import test_devices

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PLUGIN = "sanity.invariants.plugin"
PLUGIN_WORDS = [] if any(point.value == PLUGIN for point in entry_points(group="pytest11")) else ["-p", PLUGIN]
METHODS = {
    "Mutating": ("are_left_as_they_were", "score changed the model: ['value of"),
    "Unsettling": ("are_left_as_they_were", "score changed the model: ['mode of"),
    "Eroding": ("saliency_leaves", "saliency changed the weights ["),
    "Overwriting": ("are_left_as_they_were", "score changed the batches in place"),
    "GlobalRandom": ("one_generator", "depend on a global random generator; draw from `generator`"),
    "Homebound": ("on_the_networks_device", "are on the CPU, while the network is not"),
    "Drawing": ("on_the_networks_device", "mixes the data's device with the CPU: rand draws there from a generator"),
    "Mixing": ("on_the_networks_device", "mixes the data's device with the CPU: "),
    "NotANumber": ("every_weight", "score of '1.weight' has 864 of 864 values that are NaN or infinite"),
    "Flattened": ("every_weight", "Flattened scores '1.weight' with torch.float32 (864,), but its weight has"),
    "Forgetful": ("every_weight", "Forgetful gives no score for '5.weight'"),
    "Peeking": ("without_need", "needs_data is False, but the scores of"),
    "Reviving": ("by_itself", "round 1 revives weights of"),
    "Careless": ("exactly_as_many", "weights at ratio=0.013; 971 are to be kept"),
    "Tied": ("tell_weights_apart", "more than half of the scores are tied"),
    "NoMethod": ("every_weight", "method broken:NoMethod is no class that derives from methods.base.Method"),
    "Nowhere": ("every_weight", "method 'broken:Nowhere' cannot be loaded from broken:Nowhere"),
}
CHECKS = {
    "Noop": ("changes_something", "it is a no-op"),
    "InPlace": ("stay_as_they_were", "corrupt changed ['targets'] in place; retraining sees it too"),
    "Thinning": ("keeps_its_size", "tickets of different sizes cannot be compared"),
    "Fetching": ("stays_on_the_datas_device", "corrupt moved the data to the CPU"),
    "Unseeded": ("one_generator", "['targets'] depend on more than the generator"),
}


OWN = (("--method", "taylor_method:Taylor"), ("--check", "checks.half_dataset:HalfDataset"))


def prove(report: Path, *arguments: str) -> tuple[int, list[tuple[str, str]]]:
    """Exit code, and per test its name and what it failed with ("" where it passed), of a run from this folder."""
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", str(HERE), f"--junit-xml={report}"]
    command = [sys.executable, "-m", "pytest", *options, *PLUGIN_WORDS, "--pyargs", "sanity.invariants", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True)
    assert report.exists(), done.stdout + done.stderr
    cases = ElementTree.parse(report).iter("testcase")
    return done.returncode, [
        (case.get("name", ""), " ".join(part.get("message", "") for part in case if part.tag in ("failure", "error")))
        for case in cases
    ]


def told_on_the_shortcut(preset: Method) -> bool:
    try:
        test_devices.test_scores_are_made_on_the_networks_device(preset, "shortcut")
    except pytest.skip.Exception:
        return False
    return True


def test_of_ours_it_can_be_told_without_a_gpu_what_stays_there() -> None:
    """What needs values is skipped: of ours, masks without a score, and data that are chosen by what they hold.

    That all else of ours is told, the proofs demand themselves when they run on all that is registered.
    """
    unscored = {name: ("convolutional", "shortcut") for name in methods.searching() if methods.get(name).constructs}
    of_scales = dict.fromkeys(("network_slimming", "early_bird"), ("convolutional",))  # it has no batch norm
    assert unscored
    for name, nets in {**unscored, **of_scales}.items():
        for preset in [methods.get(name), *(methods.get(name, each) for each in methods.REGISTRY.load(name).variants)]:
            for net in nets:
                with pytest.raises(pytest.skip.Exception, match="cannot be told"):
                    test_devices.test_scores_are_made_on_the_networks_device(preset, net)
    for name in of_scales:  # where there are scales, it is told; a skip would not pass for a pass here
        presets = [methods.get(name), *(methods.get(name, each) for each in methods.REGISTRY.load(name).variants)]
        assert all(told_on_the_shortcut(preset) for preset in presets)
    assert test_devices.CHOSEN_BY_VALUES == ("noise_inputs", "one_class", "transfer")
    transfer._load.cache_clear()  # images that another test loaded would be chosen among
    for name in test_devices.CHOSEN_BY_VALUES:
        with pytest.raises(pytest.skip.Exception, match="cannot be told"):
            test_devices.test_what_the_search_sees_stays_on_the_datas_device(checks.get(name), name)


class Valued(type(methods.get("magnitude"))):  # type: ignore[misc]
    """Reads a value, which a device without hardware does not have."""

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        return {name: weight.detach() * float(weight.sum()) for name, weight in self.targets(net).items()}


@pytest.mark.parametrize(
    ("module", "outcome"), [("methods.valued", pytest.fail.Exception), ("valued", pytest.skip.Exception)]
)
def test_of_a_third_party_it_need_not_be_told(
    monkeypatch: pytest.MonkeyPatch, module: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setattr(Valued, "__module__", module)
    with pytest.raises(outcome, match="cannot be told without a real device"):
        test_devices.test_scores_are_made_on_the_networks_device(Valued(), "shortcut")


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Per test its name and what it failed with, when everything broken and what is in order are proven in one run."""
    broken = [("--method", f"broken:{name}") for name in METHODS] + [("--check", f"broken:{name}") for name in CHECKS]
    wanted = " or ".join(
        f"(broken:{name}- or broken:{name}]) and {test}" for name, (test, _) in (METHODS | CHECKS).items()
    )
    in_order = " or ".join(name for _, name in OWN)
    report = tmp_path_factory.mktemp("broken") / "report.xml"
    code, tests = prove(report, *(word for pair in (*broken, *OWN) for word in pair), "-k", f"{in_order} or {wanted}")
    assert code == 1
    return tests


def test_a_method_and_a_check_of_ones_own_are_proven(proven: list[tuple[str, str]]) -> None:
    tests = [(name, message) for name, message in proven if "broken:" not in name]
    assert not [test for test in tests if test[1]]
    about = {name.partition("[")[2].split("-")[0].rstrip("]") for name, _ in tests}
    assert about == {"taylor_method:Taylor", "taylor_method:Taylor@squared", "checks.half_dataset:HalfDataset"}
    assert len(tests) > 100


@pytest.mark.parametrize("name", METHODS | CHECKS)
def test_what_is_broken_fails_with_a_reason(proven: list[tuple[str, str]], name: str) -> None:
    test, reason = (METHODS | CHECKS)[name]
    given = [message for case, message in proven if message and f"broken:{name}" in case and test in case]
    assert given, f"no test called ...{test}... fails for {name}"
    assert any(reason in message for message in given), given


def test_the_plugin_is_loaded_without_torch() -> None:
    """Every pytest of everybody who installs the suite loads it."""
    code = "import sys, sanity.invariants.plugin; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
