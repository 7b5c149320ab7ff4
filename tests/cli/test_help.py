"""`--help NAME`: every option with what it means, in the words that the command line takes."""

import dataclasses
import re
from typing import Any

import pytest

from checks.base import Check
from sanity import recipes
from sanity.cli import help as pages
from sanity.config import options
from sanity.errors import UserError, unknown

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


@pytest.mark.parametrize(("name", "says"), [("grsap", "Did you mean 'grasp'"), ("os:PathLike", "derives from none of")])
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
    assert page[0] == title
    assert any(row.startswith(line) for row in page)
    assert max(map(len, page)) < 200


def test_an_unknown_name_among_many_is_a_short_line() -> None:
    with pytest.raises(UserError) as raised:
        pages.about("no_such_thing_at_all")
    assert str(raised.value).endswith("names, see --help")


def test_an_unknown_name_among_none_says_so() -> None:
    assert str(unknown("variant", "x", [])) == "unknown variant 'x'. Allowed: there is none"
