"""What pytest takes up for the tests of this folder."""

from fixtures import *  # noqa: F401,F403
