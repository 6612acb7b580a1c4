"""Figures for Prometheus that are read on each scrape: the live part's newest snapshot, and troubles."""

from collections.abc import Iterator

import numpy as np
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from collector.live.runner import Live
from collector.model.flows import State
from collector.model.troubles import TroubleKind
from collector.upkeep.health import Troubles


class TroubleFigures(Collector):
    """Which troubles there are now. Register it once per collector."""

    def __init__(self, troubles: Troubles) -> None:
        self._troubles = troubles

    def collect(self) -> Iterator[Metric]:
        """1 for each kind of trouble that there is, 0 for all others."""
        there = {trouble.kind for trouble in self._troubles.now()}
        what = "Whether something is wrong with the collector itself, by kind of trouble."
        metric = GaugeMetricFamily("choreoscope_trouble", what, labels=["kind"])
        for kind in TroubleKind:
            metric.add_metric([kind], int(kind in there))
        yield metric


class LiveFigures(Collector):
    """Register it once per collector."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def collect(self) -> Iterator[Metric]:
        """The figures, by name."""
        snapshot = self._live.snapshot
        effort = snapshot.effort
        flows = GaugeMetricFamily(
            "choreoscope_live_flows",
            "Flows in memory, by state: those at rest are in the store.",
            labels=["state"],
        )
        counts = np.bincount(snapshot.state, minlength=len(State)).tolist()
        for state in State:
            flows.add_metric([state.word], counts[state])
        yield flows
        for name, what, value in (
            ("live_spans", "Spans of flows in memory.", effort.spans_held),
            ("tick_seconds", "Time that the last tick took.", effort.tick_s),
            ("expectations", "Steps that are expected by what was learned.", self._live.expectations),
        ):
            yield GaugeMetricFamily(f"choreoscope_{name}", what, value)
        for name, what, value in (
            ("flows_learned", "Flows that taught what is normal.", snapshot.learned),
            (
                "flows_put_early",
                "Flows evicted before they came to rest, to bound the memory.",
                effort.evicted_early,
            ),
            ("flows_put_aside", "Flows too large to be judged.", effort.set_aside),
            (
                "names_together",
                "Times that a name beyond the limit was counted as __other__.",
                effort.names_together,
            ),
            ("names_forgotten", "Names that nothing used, forgotten for others.", effort.names_forgotten),
            ("steps_forgotten", "Steps forgotten, as more were seen than are known.", effort.steps_forgotten),
            ("spans_unjudged", "Stored spans that the live part could make nothing of.", effort.spans_lost),
            (
                "spans_unrestored",
                "Spans judged without the flows that the store has of them, as it did not answer.",
                effort.spans_unrestored,
            ),
        ):
            yield CounterMetricFamily(f"choreoscope_{name}", what, value)
