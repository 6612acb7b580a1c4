"""Which services sent the spans of the simulator's store, as ClickHouse counts it."""

import numpy as np
import pyarrow as pa

from collector.model.senders import SENDERS

_SECOND = 10**9


def senders(copies: pa.Table) -> pa.Table:
    """SENDERS of these *copies* of spans (SPANS)."""
    rows: dict[str, list[tuple[int, int, bytes]]] = {}
    names = ("service", "received_unix_nano", "end_unix_nano", "resource")
    for service, *said in zip(*(copies[name].to_pylist() for name in names), strict=True):
        rows.setdefault(service, []).append(tuple(said))
    return pa.Table.from_pylist([_sender(service, rows[service]) for service in sorted(rows)], SENDERS)


def _sender(service: str, rows: list[tuple[int, int, bytes]]) -> dict[str, object]:
    newest = max(rows)
    delays = [(received - ended) / _SECOND for received, ended, _ in rows]
    usual = [delay for delay in delays if 0 <= delay <= 3600] or [float("nan")]
    minutes = np.unique([received // (60 * _SECOND) for received, _, _ in rows])
    return {
        "service": service,
        "resource": newest[2],
        "first": min(rows)[0],
        "last": newest[0],
        "pause_s": 60 * int(np.diff(minutes).max(initial=0)),
        "median_s": float(np.quantile(usual, 0.5)),
        "delay_s": float(np.quantile(usual, 0.99, method="nearest")),
    }
