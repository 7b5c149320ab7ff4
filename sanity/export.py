"""`python -m sanity.export`: the command of `sanity.cli.export`."""

import sys
from typing import TYPE_CHECKING

from sanity.cli.export import main

if TYPE_CHECKING:
    from sanity.cli.exported import AskOf


def _judge() -> "AskOf":
    from reports.seeds_spent import judge  # which imports pandas

    return judge


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], _judge))
