"""`--help NAME`: every option with what it means, in the words that the command line takes."""

import dataclasses
import re
from typing import Any

import pytest

from checks.base import Check
from sanity import config, models, recipes
from sanity.cli import help as pages
from sanity.cli.request import requested
from sanity.config import options
from sanity.errors import UserError, nearest, unknown
from sanity.run import main

PARTS = [(title, name) for title, registry in pages.REGISTRIES.items() for name in registry.names()]
WITH_OPTIONS = [
    pytest.param(pages.REGISTRIES[title].load(name), title, name, id=name)
    for title, name in PARTS
    if dataclasses.is_dataclass(pages.REGISTRIES[title].load(name))
]
OPTION = re.compile(r"^  (\w+)\.(\w+)=(.*)  \(.+\)$", re.MULTILINE)


def shown(name: str) -> dict[str, str]:
    return {option: value for _, option, value in OPTION.findall(pages.about(name))}


@pytest.mark.parametrize(("part", "title", "name"), WITH_OPTIONS)
def test_what_a_page_shows_is_what_the_command_line_takes(part: type[Any], title: str, name: str) -> None:
    owners = {owner for owner, _, _ in OPTION.findall(pages.about(name))}
    assert owners <= {{"models": "model", "data sets": "dataset"}.get(title, name)}
    assert sorted(shown(name)) == sorted(options.names(part))
    assert options.fill(part, shown(name), name) == part()


@pytest.mark.parametrize(("part", "title", "name"), [*WITH_OPTIONS, pytest.param(recipes.Recipe, "", "", id="recipe")])
def test_every_option_says_what_it_means(part: type[Any], title: str, name: str) -> None:
    assert sorted(options.texts(part)) == sorted(options.names(part))


@pytest.mark.parametrize("name", recipes.NAMES)
def test_a_recipes_page_gives_the_recipe_back(name: str) -> None:
    assert recipes.get(name, **{key: value for key, value in shown(name).items() if key != "for"}) == recipes.get(name)


def test_a_page_tells_of_an_option_once_and_keeps_the_formula() -> None:
    page = " ".join(pages.about("grasp").split())
    assert page.count("divides the logits") == 1
    assert "Formula: score = w * (H g)" in page
    assert "grasp.temperature=200.0 (float > 0) divides the logits" in page


def test_a_papers_settings_are_spelled_out() -> None:
    assert re.search(r"frankle2021 +gradient=per_batch batch_size=128 counts=removed_ceiled\n", pages.about("grasp"))


def test_a_check_says_what_it_keeps_and_destroys() -> None:
    assert "destroys: half of the examples." in pages.about("half_dataset")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("sanity.models.vgg:VGG19", "  model.bias=false  (bool)"),
        ("sanity.data.digits:Digits", "  dataset.limit=null  (int >= 1|null)"),
        ("checks.half_dataset:HalfDataset", "  checks.half_dataset:HalfDataset.which=random  (random|first)"),
    ],
)
def test_the_page_of_a_class_names_the_keys_that_work(name: str, line: str) -> None:
    assert line in pages.about(name).splitlines()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Demanding(Check):
    """Another's, with options that ours never have.

    needed: has no default.
    """

    needed: int
    several: tuple[float, ...] = dataclasses.field(default_factory=lambda: (0.5, 2.0))


def test_an_option_without_a_default_is_said_to_be_required() -> None:
    page = pages.about(f"{__name__}:Demanding")
    assert ".needed=  (int; required)\n      has no default." in page
    assert ".several=0.5,2  (float,...)" in page


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("grsap", "Did you mean 'grasp'"),
        ("shrot", "Did you mean 'short'"),  # a recipe
        ("os:PathLike", "derives from none of"),
    ],
)
def test_an_unknown_page_is_a_mistake(name: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        pages.about(name)


def test_a_class_of_ones_own_has_a_page() -> None:
    page = pages.about("methods.snip:SNIP")
    assert page.startswith("methods.snip:SNIP: |w g|")
    assert "  methods.snip:SNIP.rounds=1  (1 <= int <= 10000)" in page


@pytest.mark.parametrize(
    ("title", "line"),
    [
        ("reproductions", "  lee2019_table1 "),
        ("methods", "  snip "),
        ("data sets", "  mnist "),
        ("recipes", "  quick "),
    ],
)
def test_a_kind_of_name_is_listed(title: str, line: str) -> None:
    page = pages.about(title).splitlines()
    assert page[0].startswith(title)
    assert any(row.startswith(line) for row in page)
    assert max(map(len, page)) < 200


def test_an_unknown_name_among_many_is_a_short_line() -> None:
    with pytest.raises(UserError) as raised:
        pages.about("no_such_thing_at_all")
    assert str(raised.value).endswith("more, see --help")
    assert len(str(raised.value)) < 240


def test_of_equally_near_names_the_one_that_begins_alike_is_meant() -> None:
    assert nearest("resnet21", models.REGISTRY.names()) == "resnet20"
    assert nearest("zzz", models.REGISTRY.names()) == ""


@pytest.mark.parametrize("key", config.key_names())
def test_every_key_has_a_page_with_its_default_and_meaning(key: str) -> None:
    kind, default, text = next(row[1:] for row in config.table() if row[0] == key)
    page = " ".join(pages.about(key).split())
    assert page.startswith(f"{key}={default} ({kind})")
    assert text in page


def test_one_option_of_a_part_has_a_page() -> None:
    assert pages.about("recipe.epochs").startswith("recipe.epochs=12  (1 <= int <= 100000)\n      passes over")
    assert "statistics while scoring" in pages.about("snip.batch_norm")
    with pytest.raises(UserError, match="Did you mean 'batch_norm'"):
        pages.about("snip.batchnorm")
    assert pages.about("epochs") == pages.about("recipe.epochs")


@pytest.mark.parametrize(
    ("keys", "meant"),
    [
        ({"epochs": 3}, "'recipe.epochs'"),
        ({"epoch": 3}, "'recipe.epochs'"),
        ({"lr": 3, "methods": "nonsense"}, "'recipe.lr'"),
        ({"width": 3}, "'model.width'"),
        ({"limit": 3}, "'dataset.limit'"),
        ({"batch_norm": "running", "methods": "snip@lee2019,grasp"}, "'snip.batch_norm' or 'grasp.batch_norm'"),
        ({"which": "first", "checks": "half_dataset+reinit"}, "'half_dataset.which'"),
        ({"metods": "snip"}, "'methods'"),
    ],
)
def test_an_option_without_its_part_is_understood(keys: dict[str, Any], meant: str) -> None:
    with pytest.raises(UserError) as raised:
        requested(keys)
    assert f"Did you mean {meant}?" in str(raised.value)


def test_without_arguments_the_command_line_says_how_to_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    said = capsys.readouterr().out
    assert "--help NAME" in said
    assert max(map(len, said.splitlines())) <= 110


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert re.match(r"pruning-sanity \S+, torch \d", capsys.readouterr().out)


def test_an_unknown_name_among_none_says_so() -> None:
    assert str(unknown("variant", "x", [])) == "unknown variant 'x'. Allowed: there is none"
