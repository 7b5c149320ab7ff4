"""Runs the proofs on an instance, without a command line, by `check_method` and `check_check`.

A proof has a stable id: its file, its name and its case, such as `budgets/one_round_keeps_the_highest_scores`.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import pytest

from checks import REGISTRY
from sanity.errors import UserError, unknown

if TYPE_CHECKING:
    from checks.base import Check
    from methods.base import Method

_NOTHING_TO_PROVE = (
    "constructs its mask",
    "no batch norm scales",
    "channels that can be removed",
    "channels are shared by",
)
_FILES = ("scores", "budgets", "devices", "training", "every_check", "predictions")


@dataclass(frozen=True)
class Proof:
    """What one proof found.

    reason: why it failed or was skipped; for an expected failure, the reason that was given for it.
    """

    id: str
    status: Literal["passed", "failed", "skipped", "expected failure"]
    reason: str = ""


class ProofError(AssertionError):
    """Raised where a proof failed. `proofs` holds all proofs."""

    def __init__(self, subject: str, proofs: list[Proof]) -> None:
        self.proofs = proofs
        failures = [f"{proof.id}: {proof.reason}" for proof in proofs if proof.status == "failed"]
        super().__init__("\n".join([f"{subject} fails {len(failures)} of {len(proofs)} proofs", *failures]))


def check_method(
    method: "Method", expected_failures: Mapping[str, str] | None = None, raises: bool = True
) -> list[Proof]:
    """Runs every proof about methods on `method`, with the options that it has.

    expected_failures: id -> why that proof fails. One that passes all the same counts as failed.
    raises: whether to raise `ProofError` where a proof fails; otherwise all are returned.

    Raises `UserError` for an id that no proof has.
    """
    return _prove(type(method).__name__, {"method": method, "preset": method}, expected_failures or {}, raises)


def check_check(check: "Check", expected_failures: Mapping[str, str] | None = None, raises: bool = True) -> list[Proof]:
    """Runs every proof about checks on `check`. Arguments and errors as for `check_method`."""
    subjects = {"check": check, "check_name": REGISTRY.name_of(type(check))}
    return _prove(type(check).__name__, subjects, expected_failures or {}, raises)


def _prove(
    subject: str, subjects: Mapping[str, object], expected_failures: Mapping[str, str], raises: bool
) -> list[Proof]:
    cases = dict(_cases(subjects))
    for name in expected_failures:
        if name not in cases:
            raise unknown("proof", name, cases)
    proofs = [_judged(_run(name, case), expected_failures.get(name)) for name, case in cases.items()]
    if raises and any(proof.status == "failed" for proof in proofs):
        raise ProofError(subject, proofs)
    return proofs


def _cases(subjects: Mapping[str, object]) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yields the id of every proof about these subjects, and what runs it."""
    for file in _FILES:
        module = import_module(f"sanity.invariants.test_{file}")
        for name, function in vars(module).items():
            if not name.startswith("test_") or not inspect.isfunction(function):
                continue
            needed = [parameter for parameter in inspect.signature(function).parameters if parameter in subjects]
            if not needed:
                continue
            for label, values in _parametrized(function):
                arguments = {key: subjects[key] for key in needed} | values
                yield f"{file}/{name.removeprefix('test_')}{label}", _bound(function, arguments)


def _bound(function: Callable[..., object], arguments: Mapping[str, Any]) -> Callable[[], object]:
    def run() -> object:
        for mark in getattr(function, "pytestmark", []):
            if mark.name == "skipif" and mark.args[0]:
                pytest.skip(mark.kwargs.get("reason", ""))
        return function(**arguments)

    return run


def _parametrized(function: Callable[..., object]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the arguments that the test's `parametrize` marks give it, with the label that tells them apart."""
    marks = [mark for mark in getattr(function, "pytestmark", []) if mark.name == "parametrize"]
    for chosen in product(*(mark.args[1] for mark in marks)):
        values = {mark.args[0]: value for mark, value in zip(marks, chosen, strict=True)}
        yield f"[{'-'.join(map(str, chosen))}]" if chosen else "", values


def _run(name: str, case: Callable[[], object]) -> Proof:
    try:
        with skipped_without_a_score():
            case()
    except pytest.skip.Exception as skipped:
        return Proof(name, "skipped", str(skipped))
    except (Exception, pytest.fail.Exception) as error:  # what is proven is another's code, which may fail in any way
        text = str(error).strip()
        return Proof(name, "failed", text.splitlines()[0] if text else type(error).__name__)
    return Proof(name, "passed")


def _judged(proof: Proof, expected: str | None) -> Proof:
    if expected is None or proof.status == "skipped":
        return proof
    if proof.status == "failed":
        return Proof(proof.id, "expected failure", expected)
    return Proof(proof.id, "failed", "passes, although it is among the expected failures")


@contextmanager
def skipped_without_a_score() -> Iterator[None]:
    """Skips the proof where the method constructs its mask, or where the small network has nothing that it prunes."""
    try:
        yield
    except UserError as error:
        if not any(reason in str(error) for reason in _NOTHING_TO_PROVE):
            raise
        pytest.skip(str(error))
