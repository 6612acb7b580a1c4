"""What must every store know of the services whose spans arrived?"""

import pytest

from collector.store.contracts import SpanStore
from tests.factories import NOW, SECOND, request, span, table

MINUTE = 60 * SECOND


class SendersContract:
    """The promises of `SpanStore.senders`; the fixture `store` is the heir's."""

    def test_who_sends_is_known_with_its_pauses_and_delays(self, store: SpanStore) -> None:
        """A pause counts in minutes of receipt, so that what is kept of a service is bounded."""
        began = NOW // MINUTE * MINUTE
        for minute in (0, 1, 2, 14, 15):
            late = 40 if minute == 1 else 2
            ended = began + minute * MINUTE
            spans = [span(id=f"{minute}.{n}", start=began, end=ended) for n in range(3)]
            store.write(table(request(*spans), received=ended + late * SECOND))

        (found,) = store.senders(began, 100).to_pylist()

        assert found["first"] == began + 2 * SECOND
        assert found["last"] == began + 15 * MINUTE + 2 * SECOND
        assert found["pause_s"] == 12 * 60
        assert found["median_s"] == pytest.approx(2)
        assert found["delay_s"] == pytest.approx(40)
        assert [one["pause_s"] for one in store.senders(began, 6).to_pylist()] == [60]
        assert store.senders(began + 16 * MINUTE, 100).num_rows == 0
