"""The fixtures and modules of the integration tests, for the budgets."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "integration"))

from fixtures import *  # noqa: E402,F401,F403
