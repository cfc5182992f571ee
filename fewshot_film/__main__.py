"""`python -m fewshot_film` and the `fewshot-film` console script."""

import sys

from fewshot_film.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
