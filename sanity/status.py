"""`python -m sanity.status`: the command of `sanity.cli.status`."""

import sys

from sanity.cli.status import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
