"""`engine=` and the options of Ray: mistakes are one line, and Ray is asked for only where it is named."""

import sys

import pytest

from sanity.cli.help import about
from sanity.config import from_mapping
from sanity.config.engines import ray_options
from sanity.grid.cells import cells
from sanity.grid.requests import command
from tests.small_runs import Start


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("engine=dask", "engine=dask: should be 'local' or 'ray'"),
        ("ray.address=auto", "ray.address: is an option of engine=ray, but engine=local"),
        ("engine=ray ray.adress=auto", "unknown option of ray 'adress'. Did you mean 'address'?"),
        ("engine=ray ray.cpus_per_run=0", "ray.cpus_per_run=0: should be greater than or equal to 1"),
        ("engine=ray ray.gpus_per_run=-1", "ray.gpus_per_run=-1: should be greater than or equal to 0"),
        ("engine=ray device=cpu ray.gpus_per_run=0.5", "ray.gpus_per_run=0.5: does not fit device=cpu"),
    ],
)
def test_a_mistake_is_one_line(words: str, line: str, start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ray", reason="needs Ray: pip install 'pruning-sanity[ray]'")
    assert start(**{word.split("=")[0].replace(".", "__"): word.split("=")[1] for word in words.split()}) == 2
    (printed,) = [text for text in capsys.readouterr().err.splitlines() if text.startswith("error:")]
    assert printed.startswith(f"error: {line}")


def test_without_ray_it_says_what_to_install(
    start: Start, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "sanity.grid.ray_pool", raising=False)
    assert start(engine="ray") == 2
    assert "engine=ray: Ray is not installed; pip install 'pruning-sanity[ray]'" in capsys.readouterr().err


def test_the_engine_is_no_part_of_the_question() -> None:
    config = from_mapping({"engine": "ray", "ray.address": "auto", "ray.gpus_per_run": 0.25, "seeds": "0-3"})
    assert ray_options(config.engine, config.section("ray")).gpus_per_run == 0.25
    assert command(config) == command(from_mapping({"seeds": "0-3"})) == "python -m sanity.run seeds=0-3"
    assert cells(config) == cells(from_mapping({"seeds": "0-3"}))


def test_help_describes_the_options() -> None:
    assert "ray.address=" in about("ray")
    assert "four workers share one" in about("ray.gpus_per_run")
