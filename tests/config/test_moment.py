"""Moments: how they are written, and where they lie on a schedule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from sanity.config.moment import Moment, WeightsMoment, canonical, iterations, placed


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("3ep", 3), (3, 3), ("01000it", "1000it"), ("5%", "5%"), ("init", "init"), (" end", "end")],
)
def test_a_moment_is_written_in_one_way(text: object, value: int | str) -> None:
    assert canonical(text) == value
    assert canonical(canonical(text)) == value


@pytest.mark.parametrize("text", ["-1", "3.5", "it", "ep", "0%", "101%", "5%%", "nan%", "soon", ""])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="should be init, end, an epoch"):
        TypeAdapter(Moment).validate_python(text)


@pytest.mark.parametrize(
    ("text", "value"), [("best", "best"), ("best30", "best30"), ("best030ep", "best30"), ("3ep", 3)]
)
def test_of_weights_the_best_epoch_is_a_moment(text: str, value: int | str) -> None:
    assert TypeAdapter(WeightsMoment).validate_python(text) == value
    assert TypeAdapter(WeightsMoment).validate_python(value) == value


@pytest.mark.parametrize("text", ["best0", "bester", "best-3", "best3it", "the best"])
def test_what_is_no_moment_of_weights_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="or the epoch of the best test accuracy"):
        TypeAdapter(WeightsMoment).validate_python(text)
    with pytest.raises(ValidationError, match="should be init, end, an epoch"):
        TypeAdapter(Moment).validate_python("best")


def test_the_best_epoch_is_known_at_the_end_of_those_among_which_it_is() -> None:
    assert iterations("best", 10, 7) == 70
    assert iterations("best3", 10, 7) == 21


@given(epoch=st.integers(0, 50), epochs=st.integers(1, 50), steps=st.integers(1, 400))
def test_an_epoch_is_as_many_iterations_as_it_has_steps(epoch: int, epochs: int, steps: int) -> None:
    assert iterations(epoch, epochs, steps) == epoch * steps
    assert iterations(f"{epoch * steps}it", epochs, steps) == epoch * steps
    assert iterations("init", epochs, steps) == 0
    assert iterations("end", epochs, steps) == iterations("100%", epochs, steps) == epochs * steps


@pytest.mark.parametrize(("share", "epochs", "epoch"), [("5%", 160, 8), ("5%", 20, 1), ("1%", 10, 1), ("50%", 5, 3)])
def test_a_share_is_the_nearest_epoch(share: str, epochs: int, epoch: int) -> None:
    assert placed(share, epochs) == epoch
