"""`python -m sanity.audit`: the command of `sanity.cli.audit`."""

import sys

from sanity.cli.audit.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
