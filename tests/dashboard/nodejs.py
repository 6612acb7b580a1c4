"""Finds Node, for tests of the front end's code that need no page."""

from __future__ import annotations

import os
import shutil

import pytest


def node() -> str:
    """Return the path of Node. Without one the test is skipped; CI must have one."""
    found = shutil.which("node")
    if found is None:
        said = "there is no node here: install it to run these"
        if os.environ.get("CI") == "true":
            pytest.fail(said)
        pytest.skip(said)
    return found
