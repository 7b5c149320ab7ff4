"""Lists papers whose claims are put to the test: a TOML file a paper. Needs neither torch nor pandas.

short, paper      the name by which it goes, and its citation
setting           the networks and data of the paper
read              what of the paper was seen in print
[[claim]]         `says`, a sentence that can fail; `source`, where the paper says it, or what it follows from;
                  `unseen = true` where that place was not seen in print; `test`, what could refute it; `untested`, why
                  nothing here tests it yet
[[claim.found]]   records and the comparison to look up in them; see `reports.claims.declared.Evidence`. Several
                  `records`, `method`, `check` or `against` stand for every combination of them. Accuracies after
                  training are compared, or the `outcome` that it names; `margin`, in the unit of the outcome, where
                  the difference that the paper prints is smaller than that of the reports, or no accuracy
[[differs]]       `says`, how the paper's code differs from its text; `source`, where that was read
"""

import tomllib
from pathlib import Path
from typing import Any

from sanity.errors import unknown

HERE = Path(__file__).parent


def names() -> list[str]:
    """Returns the names of all papers."""
    return sorted(path.stem for path in HERE.glob("*.toml"))


def declaration(name: str) -> dict[str, Any]:
    """Returns what NAME.toml says. Raises `UserError` for an unknown name."""
    if name not in names():
        raise unknown("paper", name, names())
    return tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8"))
