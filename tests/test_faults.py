"""What does a fault of the shop do to a message, and does it end when the service is mended?"""

import asyncio
import os
from collections.abc import Callable

import pytest

from sample_services import faults
from sample_services.faults import CRASHED, BrokenOnPurpose, Fault, Watch


@pytest.mark.parametrize(("mended", "died"), [(False, [CRASHED]), (True, [])])
def test_process_dies_of_a_fault_only_while_it_has_it(
    monkeypatch: pytest.MonkeyPatch, mended: bool, died: list[int]
) -> None:
    """A mended process has handled other messages, whose spans it must still export."""
    codes: list[int] = []
    leave: Callable[[int], None] = codes.append
    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(faults, "DYING_S", 0.01)
    watch = Watch("payment")
    watch.fault = Fault("crashing")

    async def struck() -> None:
        striking = asyncio.create_task(watch.strike("e1"))
        await asyncio.sleep(0)
        if mended:
            watch.fault = None
        await striking

    asyncio.run(struck())

    assert codes == died


def test_failing_handler_says_so() -> None:
    watch = Watch("payment")
    watch.fault = Fault("failing")

    with pytest.raises(BrokenOnPurpose, match="100%"):
        asyncio.run(watch.strike("e1"))
