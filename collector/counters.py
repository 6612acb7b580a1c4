"""What does the collector count about itself, for /metrics and the summary?

The counters add up: received = stored + duplicate + refused, over all reasons. Nobody knows how many spans
are in a request that cannot be read, so it is counted as a request.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Counters:
    """The counters of one collector."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.received = Counter(
            "choreoscope_spans_received", "Spans in requests that could be read.", registry=self.registry
        )
        self.stored = Counter(
            "choreoscope_spans_stored", "Spans stored for the first time.", registry=self.registry
        )
        self.duplicate = Counter(
            "choreoscope_spans_duplicate",
            "Spans that had been stored already: an exporter sent them again.",
            registry=self.registry,
        )
        self.refused = Counter(
            "choreoscope_spans_refused", "Spans not stored, by reason.", ["reason"], registry=self.registry
        )
        self.requests_refused = Counter(
            "choreoscope_requests_refused",
            "Requests not taken, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.connections_closed = Counter(
            "choreoscope_connections_closed",
            "HTTP connections that were closed because of what came from the other side, by door and reason.",
            ["door", "reason"],
            registry=self.registry,
        )
        self.task_deaths = Counter(
            "choreoscope_task_deaths",
            "Long-lived tasks that died and were started again, by task.",
            ["task"],
            registry=self.registry,
        )
        self.dropped_spans = Counter(
            "choreoscope_retention_spans",
            "Stored spans (every copy) that retention dropped, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.dropped_days = Counter(
            "choreoscope_retention_days",
            "Days of spans that retention dropped, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.disk_free = Gauge(
            "choreoscope_disk_free_bytes",
            "Bytes that are free on the disk of the store.",
            registry=self.registry,
        )
        self.damaged_parts = Gauge(
            "choreoscope_store_damaged_parts",
            "Parts and files of the store that are damaged, or were mended.",
            registry=self.registry,
        )
        self.damaged_rows = Gauge(
            "choreoscope_store_damaged_rows",
            "Rows that cannot be read, as far as their number is known.",
            registry=self.registry,
        )
        self.waiting_bytes = Gauge(
            "choreoscope_intake_waiting_bytes",
            "Bytes of requests that wait for an insert.",
            registry=self.registry,
        )
        self.admitted_bytes = Gauge(
            "choreoscope_intake_admitted_bytes",
            "Bytes of requests that may wait, by how fast they are stored at present.",
            registry=self.registry,
        )
        self.commit_seconds = Histogram(
            "choreoscope_commit_seconds",
            "Time of one insert, until it was durable.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )
        for reason in ("invalid", "store"):
            self.refused.labels(reason)
        reasons = (
            "undecodable",
            "overloaded",
            "store",
            "trouble",
            "slow",
            "too_large",
            "media_type",
            "unauthorized",
            "forbidden",
            "no_traces",
        )
        for reason in reasons:
            self.requests_refused.labels(reason)

    def spans(self) -> dict[str, int]:
        """The totals of the four span counters."""
        totals = {"received": 0, "stored": 0, "duplicate": 0, "refused": 0}
        for metric in self.registry.collect():
            name = metric.name.removeprefix("choreoscope_spans_")
            for sample in metric.samples:
                if name in totals and sample.name.endswith("_total"):
                    totals[name] += int(sample.value)
        return totals
