"""Does what the torture tries still hold? Each part as short as it can be; `make torture` goes on."""

import shutil

import pytest

from benchmarks.torture import disks, fuzzing

# What finds most for its time; the others take longer than a test may.
SHORT = {name: part for name, part in disks.PARTS.items() if name == "write-errors"}


@pytest.mark.skipif(shutil.which("gcc") is None, reason="the disk is broken by a library that gcc builds")
@pytest.mark.parametrize("name", SHORT)
def test_a_broken_disk_loses_nothing_that_was_acknowledged(name: str) -> None:
    """An insert whose write failed was acknowledged and lost, until the first run of this."""
    outcome = SHORT[name](0, 1)

    assert outcome.well, outcome.said


@pytest.mark.parametrize("name", fuzzing.PARTS)
def test_no_mutation_breaks_a_decoder(name: str) -> None:
    outcome = fuzzing.PARTS[name](0, 1)

    assert outcome.well, outcome.said
