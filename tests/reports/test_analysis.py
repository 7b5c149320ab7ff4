"""Tests what of an analysis can be asked for."""

import pytest

from reports import Analysis
from sanity.errors import UserError


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"metric": "mean"}, "unknown metric 'mean'"),
        ({"design": "fixd"}, "unknown design 'fixd'. Did you mean 'fixed'"),
        ({"compare": "method"}, "unknown comparison 'method'. Did you mean 'methods'"),
        ({"margin": 0.0}, "margin=0: should be greater than 0"),
        ({"margin": float("nan")}, "margin=nan: should be greater than 0"),
        ({"alpha": 1.0}, "alpha=1: should be between 0 and 1"),
    ],
)
def test_mistakes_are_one_line(values: dict, message: str) -> None:
    with pytest.raises(UserError) as caught:
        Analysis(**values)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_what_differs_from_the_defaults_is_told() -> None:
    assert Analysis().changed() == {}
    assert Analysis("best", 1.0, design="sequential").changed() == {
        "metric": "best",
        "margin": 1.0,
        "design": "sequential",
    }
