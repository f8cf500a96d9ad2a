"""Parts that a developer may lack: a test that needs one skips and says so; in CI the skip is a failure."""

import os
from importlib.util import find_spec

import pytest

REQUIRE_ALL = "TOKENKIT_REQUIRE_ALL"


def needs(module, why):
    """Skip without a module, or fail where everything is required."""
    if find_spec(module) is None:
        missing(f"{why} {module}, which is not installed")


def missing(part):
    """Skip for the want of a part, or fail where everything is required."""
    if os.environ.get(REQUIRE_ALL):
        pytest.fail(f"{part}, and {REQUIRE_ALL} is set")
    pytest.skip(part)
