"""Variants keep as many weights as the official code of their paper kept."""

import pytest

import methods
from methods.base import Method
from sanity.masks.allocation import kept_after

RESNET32, VGG19 = 1_855_584, 20_024_000


@pytest.mark.parametrize(
    ("name", "variant", "total", "kept"),
    [
        ("snip", "su2020", RESNET32, (185558, 37111, 9277)),
        ("snip", "su2020", VGG19, (2002399, 400480, 100120)),
        ("snip", "atanov2021", RESNET32, (185558, 37111, 9277)),
        ("snip", "frankle2021", RESNET32, (185557, 37110, 9276)),
        ("grasp", "su2020", RESNET32, (185560, 37113, 9279)),
        ("grasp", "wang2020", VGG19, (2002401, 400481, 100121)),
        ("grasp", "frankle2021", RESNET32, (185558, 37111, 9277)),
        ("magnitude", "frankle2021", RESNET32, (185557, 37110, 9276)),
        ("synflow", "tanaka2020", RESNET32, (185559, 37112, 9278)),
        ("synflow", "tanaka2020", VGG19, (2002400, 400480, 100120)),
        ("synflow", "frankle2021", RESNET32, (185500, 37073, 9249)),
    ],
)
def test_a_variant_keeps_as_many_weights_as_its_papers_code(
    name: str, variant: str, total: int, kept: tuple[int, ...]
) -> None:
    """The numbers of weights that the official codes kept of ResNet-32 and VGG-19 at 90, 98 and 99.5 %."""
    method: Method = methods.get(name, variant)
    for ratio, wanted in zip((0.9, 0.98, 0.995), kept, strict=True):
        left, before = total, 0.0
        for step in method.ratios(ratio):
            left, before = kept_after(method.counts, total, step, left, before), step
        assert left == wanted, f"at {ratio}"
