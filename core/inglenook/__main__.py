"""`python -m inglenook` is `nook`."""

import sys

from inglenook.main import main

if __name__ == "__main__":
    sys.exit(main())
