"""What does the collector count about itself, for /metrics and the summary?

The counters add up: received = stored + duplicate + refused, over all reasons. Nobody knows how many spans
are in a request that cannot be read, so it is counted as a request. Of log records,
received = kept + refused.
"""

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# Each is exported from the start, as 0: `rate()` cannot see an increase from nothing to 1.
_SPANS_REFUSED = ("invalid", "store")
_REQUESTS_REFUSED = (
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
_RECORDS_REFUSED = ("no_event", "invalid", "store")


class Counters:
    """The counters of one collector."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        self.received = counter("choreoscope_spans_received", "Spans in requests that could be read.")
        self.stored = counter("choreoscope_spans_stored", "Spans stored for the first time.")
        self.duplicate = counter(
            "choreoscope_spans_duplicate", "Spans that had been stored already: an exporter sent them again."
        )
        self.refused = counter("choreoscope_spans_refused", "Spans not stored, by reason.", ["reason"])
        self.records_received = counter(
            "choreoscope_log_records_received", "Log records in requests that could be read."
        )
        self.records_kept = counter(
            "choreoscope_log_records_kept", "Log records that became spans, which are counted as well."
        )
        self.records_refused = counter(
            "choreoscope_log_records_refused", "Log records not kept, by reason.", ["reason"]
        )
        self.requests_refused = counter(
            "choreoscope_requests_refused", "Requests not taken, by reason.", ["reason"]
        )
        self.connections_closed = counter(
            "choreoscope_connections_closed",
            "HTTP connections that were closed because of what came from the other side, by door and reason.",
            ["door", "reason"],
        )
        self.task_deaths = counter(
            "choreoscope_task_deaths", "Long-lived tasks that died and were started again, by task.", ["task"]
        )
        self.dropped_spans = counter(
            "choreoscope_retention_spans",
            "Stored spans (every copy) that retention dropped, by reason.",
            ["reason"],
        )
        self.dropped_days = counter(
            "choreoscope_retention_days", "Days of spans that retention dropped, by reason.", ["reason"]
        )
        self.disk_free = gauge("choreoscope_disk_free_bytes", "Bytes that are free on the disk of the store.")
        self.undone_merges = counter(
            "choreoscope_store_undone_merges",
            "Merges of the store during which a write failed: they were undone, or set aside.",
        )
        self.damaged_parts = gauge(
            "choreoscope_store_damaged_parts",
            "Parts and files of the store that are damaged, or were mended.",
        )
        self.damaged_rows = gauge(
            "choreoscope_store_damaged_rows", "Rows that cannot be read, as far as their number is known."
        )
        self.waiting_bytes = gauge(
            "choreoscope_intake_waiting_bytes", "Bytes of requests that wait for an insert."
        )
        self.admitted_bytes = gauge(
            "choreoscope_intake_admitted_bytes",
            "Bytes of requests that may wait, by how fast they are stored at present.",
        )
        self.commit_seconds = Histogram(
            "choreoscope_commit_seconds",
            "Time of one insert, until it was durable.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )
        for reason in _SPANS_REFUSED:
            self.refused.labels(reason)
        for reason in _RECORDS_REFUSED:
            self.records_refused.labels(reason)
        for reason in _REQUESTS_REFUSED:
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
