"""Options: what a class declares, what is said of it, and every mistake in one line."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field

import methods
from methods.base import Method
from methods.magnitude import Magnitude
from sanity.bench.options import Bench, Searches
from sanity.bench.scoring import main as scoring_cost
from sanity.cli import help as pages
from sanity.config import RunConfig, from_mapping, options, parse
from sanity.errors import UserError
from sanity.recipes import Recipe


@dataclass(frozen=True, kw_only=True)
class Plain:
    """Options of every kind.

    count: how many, and
        in which order.
    weight, bias: two that mean the same.
    """

    count: Annotated[int, Field(ge=1)] = 1
    weight: float = 1.0
    bias: float = 0.0
    several: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Demanding(Magnitude):
    """Has an option without a default."""

    needed: int
    listed: tuple[int, ...] = field(default_factory=tuple)


class Forgetful(Magnitude):
    """Declares an option without being a dataclass."""

    alpha: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Unresolved(Magnitude):
    """An annotation that names what there is not."""

    alpha: "NoSuchType" = None  # type: ignore[name-defined]  # noqa: F821


class Odd:
    """No type of an option."""


@dataclass(frozen=True, kw_only=True)
class Unusual(Magnitude):
    """An option of a type that text cannot be turned into."""

    alpha: Odd | None = None


@dataclass(frozen=True, kw_only=True)
class Raising(Magnitude):
    """Refuses to be made."""

    alpha: int = 0

    def __post_init__(self) -> None:
        if self.alpha:
            raise RuntimeError(f"alpha={self.alpha} is too much\nand this is a second line")


@dataclass(frozen=True, kw_only=True)
class Scoreless(Method):
    """Has neither saliency nor mask."""


@pytest.mark.parametrize(
    ("cls", "values", "says"),
    [
        (Demanding, {}, "x:Demanding.needed=: has no default; give it a value"),
        (
            Forgetful,
            {"alpha": "2"},
            "x:Forgetful.alpha: the class Forgetful declares it, but is no dataclass; put @datacl",
        ),
        (Unresolved, {}, "Unresolved: the type of an option cannot be resolved: name 'NoSuchType' is not defined"),
        (Unresolved, {"alpha": "2"}, "Unresolved: the type of an option cannot be resolved: name 'NoSuchType' is not "),
        (Unusual, {"alpha": "2"}, "Unusual.alpha: "),
        (Raising, {"alpha": "2"}, "x:Raising cannot be made: alpha=2 is too much"),
        (Scoreless, {}, "Scoreless overrides neither saliency nor mask, so that nothing tells what it keeps"),
        (Plain, {"conut": 2}, "unknown option of x:Plain 'conut'. Did you mean 'count'?"),
        (Plain, {"count": "9" * 30}, f"x:Plain.count={'9' * 30}: should be at most 9.2e+18"),
        (Plain, {"count": "9" * 400}, f"x:Plain.count={'9' * 50}... (400 characters): should be at most 9.2e+18"),
        (Plain, {"count": "9" * 5000}, f"x:Plain.count={'9' * 50}... (5000 characters): "),
        (Plain, {"several": ["1", "9" * 30]}, "x:Plain.several=['1', '99999"),
        (Plain, {"weight": "inf"}, "x:Plain.weight=inf: should be a finite number"),
        (Plain, {"weight": "nan"}, "x:Plain.weight=nan: should be a finite number"),
        (Plain, {"weight": "1e400"}, "x:Plain.weight=1e400: should be a finite number"),
        (int, {"alpha": 1}, "x:int takes no options, but got 'alpha'"),
    ],
)
def test_a_mistake_is_one_line(cls: type, values: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError) as raised:
        options.fill(cls, values, f"x:{cls.__name__}")
    assert str(raised.value).startswith(says)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("cls", [Demanding, Forgetful, Unresolved, Raising, Scoreless])
def test_ones_own_class_with_a_mistake_is_a_line_at_the_start(cls: type) -> None:
    alpha = {"alpha": "2"} if cls in (Forgetful, Raising) else {}
    with pytest.raises(UserError):
        methods.get(f"{__name__}:{cls.__name__}", **alpha)


def test_the_page_of_a_class_with_a_mistake_is_a_line() -> None:
    with pytest.raises(UserError, match="the type of an option cannot be resolved: name 'NoSuchType'"):
        pages.about(f"{__name__}:Unresolved")


def test_what_options_mean_stands_in_the_docstring() -> None:
    same = "two that mean the same."
    assert options.texts(Plain) == {"count": "how many, and in which order.", "weight": same, "bias": same}


@pytest.mark.parametrize("cls", [RunConfig, Bench, Searches, Recipe])
def test_every_option_is_explained_in_one_way(cls: type) -> None:
    assert list(options.texts(cls)) == options.names(cls)


def test_the_scoring_cost_has_a_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert scoring_cost(["--help"]) == 0
    assert "in turn with the bare passes; the median counts [3]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("margin=inf", "margin=inf: should be a finite number"),
        ("margin=1e400", "margin=1e400: should be a finite number"),
        ("checkpoint_minutes=inf", "checkpoint_minutes=inf: should be a finite number"),
        (f"runs_per_device={'9' * 30}", "runs_per_device=9"),
        (f"seeds={'9' * 400}", "seeds="),
        ("options=3", "options=3: should be {part: {option: value}}"),
    ],
)
def test_absurd_values_are_refused(word: str, says: str) -> None:
    with pytest.raises(UserError) as raised:
        parse([word])
    assert str(raised.value).startswith(says)
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize("key", ["data_dir", "results_dir", "report_dir", "log"])
def test_every_path_expands_a_home_directory(key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert getattr(from_mapping({key: "~/a"}), key) == str(tmp_path / "a")
    assert getattr(from_mapping({key: Path("~/a")}), key) == str(tmp_path / "a")
    assert getattr(from_mapping({key: "a/~"}), key) == "a/~"
    with pytest.raises(UserError, match=rf"{key}=~nosuchuser/x: there is no home directory for ~nosuchuser"):
        from_mapping({key: "~nosuchuser/x"})
