"""Finds files of the user that hide packages of the suite, before anything is computed."""

from importlib.machinery import PathFinder
from pathlib import Path

from sanity.errors import UserError

PACKAGES = ("methods", "checks", "reports", "reproductions")


def refuse_shadows() -> None:
    """Raises `UserError` if a methods.py or checks/ in the working directory hides the suite's package.

    `python -m` looks in the working directory first. The files are located without importing them.
    """
    home = Path(__file__).parents[2].resolve()
    for name in PACKAGES:
        spec = PathFinder.find_spec(name)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin is None or origin.parent == home / name:
            continue  # the suite's own package, or one without a file to compare
        hiding = origin.parent if origin.name == "__init__.py" else origin
        raise UserError(
            f"{hiding} hides the suite's own package '{name}': rename it, or start elsewhere or by python -P"
        )
