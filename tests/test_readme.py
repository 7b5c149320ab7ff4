"""What the README and the documentation tell a newcomer to type is what the suite understands."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch

import methods
from reports import inference
from sanity.cli.request import requested
from sanity.config import RunConfig, from_mapping, options, pairs
from sanity.grid.cells import cells
from sanity.masks import kept, prunable, size
from sanity.run import prepare

ROOT = Path(__file__).parents[1]
README, MEASURED = ROOT / "README.md", ROOT / "docs" / "measured.md"
PAGES = [
    README,
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "reproductions/measured/README.md",
]
OWN = ("mine:", "adapter", "own_method:", "own_check:", "own_network:", "own_dataset:", "own.py:")
"""Modules of the examples, which tests/examples runs."""


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8").replace("\\\n", " ")


def commands() -> list[str]:
    lines = [line for page in PAGES for line in re.findall(r"python -m sanity\.run ([^`\n]*)", text(page))]
    ours = [line.split("#")[0].strip() for line in lines if not any(own in line for own in (*OWN, "--help"))]
    return [command for command in dict.fromkeys(ours) if command not in ("reproductions=list", "references=list")]


@pytest.mark.parametrize("command", commands())
def test_every_command_asks_for_a_grid(command: str) -> None:
    for config in requested(pairs(shlex.split(command))).configs:
        assert cells(config)


def settings() -> list[str]:
    """What `docs/implementations.md` says to write: a method of a paper, or options of a part, in one span of code."""
    spans = re.findall(r"`([^`\n]+)`", text(ROOT / "docs" / "implementations.md"))
    words = r"(?:\w+@\w+|[a-z]\w*(?:\.\w+)?=\S+)"
    return [
        span for span in dict.fromkeys(spans) if span.upper() != span and re.fullmatch(rf"{words}(?: {words})*", span)
    ]


@pytest.mark.parametrize("setting", settings())
def test_every_setting_of_a_published_code_is_one_of_the_suite(setting: str) -> None:
    keys: dict[str, str] = {}
    for word in setting.split():
        name, equals, value = word.partition("=")
        part, _, option = name.partition(".")
        if not equals:
            keys["methods"] = word
        elif option or part in options.names(RunConfig):
            keys[name] = value
            if part in methods.REGISTRY.names():
                keys["methods"] = part
            elif option and part not in ("model", "recipe", "dataset"):
                keys["checks"] = part
        else:  # an option that all methods have
            keys |= {"methods": "partially_trained", f"partially_trained.{name}": value}
    for config in requested({"model": "vgg11" if "model.bias" in keys else "resnet20", **keys}).configs:
        assert cells(config)


def test_settings_of_published_codes_are_found_on_their_page() -> None:
    assert {"snip@lee2019", "synflow.batch_norm=identity synflow.rounds=1"} <= set(settings())
    assert len(settings()) >= 30


def test_the_example_of_a_method_is_a_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = next(block for block in re.findall(r"```python\n(.*?)```", text(README), re.DOTALL) if "mine.py" in block)
    (tmp_path / "mine.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    net = torch.nn.Sequential(torch.nn.Linear(64, 30), torch.nn.ReLU(), torch.nn.Linear(30, 10))
    mask = methods.get("mine:Scaled", power=1).mask(net, [(torch.rand(2, 64), torch.tensor([0, 1]))], 0.9)
    assert kept(mask) == round(0.1 * size(mask))


def test_the_examples_of_a_network_and_of_data_are_both(tmp_path: Path) -> None:
    code = next(block for block in re.findall(r"```python\n(.*?)```", text(README), re.DOTALL) if "LazyLinear" in block)
    file = tmp_path / "own.py"
    file.write_text(code, encoding="utf-8")
    keys = {"model": f"{file}:net", "dataset": f"{file}:data", "methods": "snip", "ratio": 0.9, "seeds": 0}
    experiment, _ = prepare(from_mapping({**keys, "device": "cpu", "results_dir": str(tmp_path)}))
    assert (len(experiment.train), experiment.train.classes) == (400, 4)
    assert size(prunable(experiment.initial(0))) == 64 * 100 + 100 * 4


@pytest.mark.parametrize(("page", "rows"), [(README, 3), (MEASURED, 8)], ids=["README", "measured"])
def test_every_measured_number_is_in_a_report(page: Path, rows: int) -> None:
    reports = [path.read_text() for path in ROOT.glob("reproductions/measured/*/report.md")]
    lines = [line for report in reports for line in report.splitlines()]
    whole = text(page)
    table = re.findall(r"^\| (?:Table|Figure) \d.*\|$", whole, re.MULTILINE)
    assert len(table) == rows
    for row in table:
        numbers = [cell.strip() for cell in row.strip("|").split("|")][1:]
        assert any(all(f"| {number} |" in line for number in numbers) for line in lines), row
    section = whole[whole.index("# What was measured") :].partition("\n## Adding a method")[0]
    signed = r"(?:\N{MINUS SIGN}|\+)\d+\.\d\d"
    numbers = re.findall(rf"(?:{signed}|\d+\.\d\d) ± \d\.\d\d|{signed} to {signed}", section)
    assert numbers
    for number in numbers:
        assert any(number in line for line in lines), number


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_file_that_it_names_is_there(page: Path) -> None:
    """Links from where the page lies; files and folders of the repository in code."""
    for name in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text(page)):
        assert (page.parent / name).exists(), name
    folders = "sanity|methods|checks|reports|reproductions|tests|examples|docs"
    for name in re.findall(rf"`((?:{folders})/[\w./]*)`", text(page)):
        assert "NAME" in name or (ROOT / name).exists() or (ROOT / f"{name}.py").is_file(), name


PICTURES = {
    "figure3": "lee2019_figure3/figures/paper-lenet-300-100",
    "decomposition_snip": "frankle2021_lenet_decomposed/figures/decomposition-snip-frankle2021",
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_of_the_docs_are_the_measured_ones(name: str) -> None:
    measured = ROOT / "reproductions" / "measured" / f"{PICTURES[name]}.svg"
    assert (ROOT / "docs" / "images" / f"{name}.svg").read_bytes() == measured.read_bytes()


def test_looking_after_every_seed_errs_as_often_as_stated() -> None:
    """The simulation behind the table of `docs/statistics.md`, with fewer repetitions."""
    repetitions, margin, most = 4000, 0.5, 20
    generator = np.random.default_rng(1)
    page = text(ROOT / "docs" / "statistics.md")
    stated = [int(share) / 100 for share in re.findall(r"\| (\d+) % \|$", page, re.MULTILINE)]
    assert len(stated) == 2
    for truth, verdict, share in zip((0.0, margin), ("different", "equivalent"), stated, strict=True):
        differences = generator.normal(truth, 0.5, (repetitions, most))
        ever = np.zeros(repetitions, bool)
        for n in range(3, most + 1):
            seen, count = differences[:, :n], np.full(repetitions, n)
            mean, std = seen.mean(axis=1), seen.std(axis=1, ddof=1)
            equal = inference.p_equivalent(mean, std, count, margin)
            ever |= inference.decide(inference.p_different(mean, std, count), equal, 0.05) == verdict
        assert abs(ever.mean() - share) < 0.02
