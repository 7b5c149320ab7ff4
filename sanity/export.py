"""`python -m sanity.export`: the command of `sanity.cli.export`."""

import sys

from reports.seeds_spent import judge
from sanity.cli.export import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], judge))
