"""Packaging of the suite: `pip install -e .`, with the extras `test` and `docs` for what CI runs."""

from pathlib import Path

from setuptools import find_packages, setup

REQUIRES = [
    "torch>=2.11",
    "torchvision",
    "numpy",
    "scipy",  # the tests behind the verdicts
    "pandas",
    "matplotlib",
    "seaborn",  # heat maps
    "scikit-learn",  # its digits are the data set that needs no download
    "safetensors",  # masks and weights on disk, never pickle
    "pydantic>=2.7",  # typed keys with bounds, for the command line and for every option
    "jinja2",
    "rich",
]
EXTRAS = {
    "timm": ["timm"],  # networks as model=timm:NAME
    "ray": ["ray>=2.49"],  # a grid on a cluster: engine=ray
    "tensorboard": ["tensorboard"],  # curves as event files, by track=tensorboard
    "wandb": ["wandb"],
    "mlflow": ["mlflow-skinny"],
    "test": [
        "timm",
        "tensorboard",
        "ray>=2.49",
        "pytest",
        "pytest-xdist",
        "hypothesis",
        "mypy",
        "ruff",
        "pandas-stubs",
        "scipy-stubs",
        "selenium",  # the report in a real browser, where Debian's chromium is installed
        "statsmodels",  # a second opinion on the statistics
        "torch-pruning",  # a second opinion on which channels go together
    ],
    "docs": [
        "mkdocs",
        "mkdocs-material",
        "mkdocstrings[python]",  # the reference, from the docstrings
    ],
}

setup(
    name="pruning-sanity",
    version="0.1.0",
    description="Sanity checks and reproductions of pruning-at-initialization claims",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "License :: OSI Approved :: Apache Software License",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
    python_requires=">=3.11",
    packages=find_packages(
        include=[
            f"{top}{tail}" for top in ("sanity", "methods", "checks", "reproductions", "reports") for tail in ("", ".*")
        ]
    ),
    package_data={
        "reports": ["templates/*", "wording.toml", "report.schema.json"],
        "reproductions": [
            "*.toml",
            "*.csv",
            "claims/*.toml",
            "reference/*.toml",
            "*/*/records.jsonl",
            "*/*/repeats.jsonl",
        ],
        "sanity": ["py.typed"],
    },
    install_requires=REQUIRES,
    extras_require=EXTRAS,
    entry_points={"pytest11": ["sanity_invariants = sanity.invariants.plugin"]},
)
