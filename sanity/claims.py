"""`python -m sanity.claims`: the command of `reports.claims`."""

import sys

from reports.claims.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
