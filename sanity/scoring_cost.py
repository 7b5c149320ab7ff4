"""`python -m sanity.scoring_cost`: the command of `sanity.bench.scoring`."""

import sys

from sanity.bench.scoring import main

if __name__ == "__main__":
    sys.exit(main())
