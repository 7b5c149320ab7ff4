"""The proofs as functions: stable ids, expected failures, and the options of the command line beside other plugins."""

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

import checks
import methods
from methods.force import FORCE
from sanity.errors import UserError
from sanity.invariants import check_check, check_method
from sanity.invariants.proofs import Proof, ProofError
from tests.invariants import broken
from tests.invariants.test_third_parties import PLUGIN_WORDS
from tests.methods.test_interface import Corner

TIED = "scores/scores_tell_weights_apart"
OTHER_PLUGIN = """
def pytest_addoption(parser):
    parser.addoption("--method", default="theirs")
"""


def failed(proofs: list[Proof]) -> set[str]:
    return {proof.id for proof in proofs if proof.status == "failed"}


def test_a_method_is_proven_with_the_options_that_it_has() -> None:
    proofs = check_method(methods.get("magnitude", layers="convolutions"))
    ids = [proof.id for proof in proofs]
    assert len(set(ids)) == len(ids) > 60
    assert {TIED, "budgets/exactly_as_many_weights_are_kept_as_asked[exponential-erk]"} <= set(ids)
    assert {proof.status for proof in proofs} == {"passed", "skipped"}


@pytest.mark.parametrize("method", [Corner(), FORCE(rounds=2)])
def test_methods_that_construct_or_revive_are_proven_of_what_holds_for_them(method: Corner | FORCE) -> None:
    assert not failed(check_method(method))


def test_what_fails_is_named_and_may_be_expected() -> None:
    with pytest.raises(ProofError, match=rf"Tied fails 1 of \d+ proofs\n{TIED}: more than half of the scores are tied"):
        check_method(broken.Tied())
    assert failed(check_method(broken.Tied(), raises=False)) == {TIED}
    proofs = check_method(broken.Tied(), expected_failures={TIED: "levels, by design"})
    assert [proof for proof in proofs if proof.status == "expected failure"] == [
        Proof(TIED, "expected failure", "levels, by design")
    ]
    with pytest.raises(ProofError, match=f"{TIED}: passes, although it is among the expected failures"):
        check_method(methods.get("magnitude"), expected_failures={TIED: "it does not"})
    with pytest.raises(UserError, match=rf"unknown proof '{TIED}s'\. Did you mean '{TIED}'"):
        check_method(methods.get("magnitude"), expected_failures={f"{TIED}s": ""})


def test_a_check_is_proven() -> None:
    for name in ("layerwise_shuffle", "half_dataset", "invert", "none"):
        assert not failed(check_check(checks.get(name)))
    with pytest.raises(ProofError, match="it is a no-op"):
        check_check(broken.Noop())


class Collected:
    """A plugin that keeps the names of the tests that a session has."""

    names: tuple[str, ...] = ()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.names = tuple(item.name for item in session.items)


def collect(folder: Path, words: list[str]) -> tuple[str, ...]:
    """The tests that a pytest started in `folder` with these words would run; it is to be called in a fork."""
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    collected = Collected()
    pytest.main([*words, "-q", "-p", "no:cacheprovider", "--co", "--pyargs", "sanity.invariants"], [collected])
    return collected.names


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(("option", "is_ours"), [("--sanity-method", True), ("--method", False)])
def test_our_options_do_not_clash_with_another_plugins(tmp_path: Path, option: str, is_ours: bool) -> None:
    """`--method` is the other plugin's then, so that the name that follows it chooses nothing of ours."""
    (tmp_path / "other_plugin.py").write_text(OTHER_PLUGIN)
    words = ["-p", "other_plugin", *PLUGIN_WORDS, "-k", "apart", option, "random"]
    with ProcessPoolExecutor(1, get_context("fork")) as child:  # which has imported all that is collected
        names = child.submit(collect, tmp_path, words).result()
    about = {name.partition("[")[2].rstrip("]") for name in names if "apart[" in name}
    assert "random" in about
    assert ("snip" in about) != is_ours
