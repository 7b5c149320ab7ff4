"""Finds files of the user's that hide packages of the suite, before anything is computed."""

from importlib.machinery import PathFinder
from pathlib import Path

from sanity.errors import UserError

PACKAGES = ("methods", "checks", "reports", "reproductions")


def refuse_shadows() -> None:
    """Raises `UserError` where a methods.py or checks/ in the working directory is imported in place of the suite's.

    `python -m` looks in the working directory first. Nothing is imported here: a file is named by where it is found.
    """
    home = Path(__file__).parents[2].resolve()
    for name in PACKAGES:
        spec = PathFinder.find_spec(name)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin is None or origin.parent == home / name:
            continue  # installed in a way of its own, or as it should be
        hiding = origin.parent if origin.name == "__init__.py" else origin
        raise UserError(
            f"{hiding} hides the suite's own package '{name}': rename it, or start elsewhere or by python -P"
        )
