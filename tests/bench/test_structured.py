"""The speed of a network without half of its channels, on one of few weights."""

import pytest

from sanity.bench import small_networks, structured
from sanity.bench.image_shape import ImageShape
from sanity.bench.options import ChannelRemoval


def test_the_small_network_has_fewer_operations_and_all_three_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    setting = ChannelRemoval(model="resnet8", shape=ImageShape((3, 16, 16)), batch=4, turns=1, device="cpu")
    whole, masked, small = small_networks.measure(setting)
    assert (whole.name, masked.name, small.name) == ("whole", "masked", "small")
    assert masked.size == whole.size
    assert small.size.flops < 0.3 * whole.size.flops
    assert small.size.parameters < 0.3 * whole.size.parameters
    assert min(row.forward_s for row in (whole, masked, small)) > 0
    assert "small" in str(small_networks.table(setting, [whole, masked, small]).columns[0]._cells)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["method=slimming"], "slimming"),
        (["model=lenet_300_100", "shape=1x8x8"], "pattern=channel: no convolution"),
        (["ratio=2"], "ratio"),
        (["pattern=4:2"], "pattern=4:2: should be 'channel' or 'inner_channel'"),
        (["shape=axb"], "shape=axb: should be channels x height x width, as in 3x32x32"),
        (["shape=3x0x32"], "shape=3x0x32: should be"),
    ],
)
def test_mistakes_are_one_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert structured.main(["device=cpu", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
