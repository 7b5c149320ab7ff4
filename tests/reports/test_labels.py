"""Labels are read with their brackets, and what is read spells the same label again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from methods.registry import REGISTRY
from reports.labels import Part, join, parse
from reports.wording import METHODS, method_name


@pytest.mark.parametrize(
    ("label", "parts"),
    [
        ("reinit", (Part("reinit"),)),
        ("snip@lee2019[biases=never]", (Part("snip", "lee2019", (("biases", "never"),)),)),
        ("a[x=1]+b", (Part("a", options=(("x", "1"),)), Part("b"))),
        ("mine:Noise[sigma=3e+0]", (Part("mine:Noise", options=(("sigma", "3e+0"),)),)),
        ("mine:Noise[sigma=3e+0,k=2]+b", (Part("mine:Noise", options=(("sigma", "3e+0"), ("k", "2"))), Part("b"))),
        ("a[x=(1, 2),y=3]", (Part("a", options=(("x", "(1, 2)"), ("y", "3"))),)),
        ("a[x=1,2]", (Part("a", options=(("x", "1,2"),)),)),
        ("a[x=1", (Part("a[x=1"),)),
        ("a[]", (Part("a[]"),)),
    ],
)
def test_a_label_is_read_with_its_brackets(label: str, parts: tuple[Part, ...]) -> None:
    assert parse(label) == parts


@given(st.text(alphabet="ab+[]=,@() ", max_size=12))
def test_what_is_read_spells_the_same_label(label: str) -> None:
    assert join(parse(label)) == label


def test_every_method_is_named_as_the_field_names_it() -> None:
    assert set(METHODS) == {"dense", *REGISTRY.names()}
    assert method_name("npb[chains=2]") == "NPB [chains=2]"
