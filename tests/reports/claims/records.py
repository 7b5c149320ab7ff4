"""Records of a method and of the dense network from chosen accuracies, and where a claim about them stands."""

from typing import Any

import pandas as pd
import pytest

from reports.claims import found
from reports.claims.declared import Claim, Evidence
from reports.records import prepare


def frame(moves: dict[str, list[float]], ratio: float = 0.9) -> pd.DataFrame:
    """Records of method "snip": accuracies of each check by seed; the key "dense" is the unpruned network."""
    rows = [
        {"dataset": "mnist", "model": "lenet5", "recipe": "quick", "seed": seed, "status": "done", "classes": 10,
         "method": "dense" if check == "dense" else "snip", "check": "none" if check == "dense" else check,
         "ratio": 0.0 if check == "dense" else ratio,
         "last_test_accuracy": accuracy, "best_test_accuracy": accuracy}
        for check, accuracies in moves.items() for seed, accuracy in enumerate(accuracies)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def standing(monkeypatch: pytest.MonkeyPatch, records: pd.DataFrame | None, **named: Any) -> str:
    monkeypatch.setattr(found, "_folder", lambda _: None if records is None else prepare(records))
    claim = Claim("it works", "Table 1", "a check", evidence=(Evidence("here", "snip", **named),))
    return found.standing(found.findings(claim))


BARE = [95.0, 95.1, 94.9, 95.0, 95.05]
