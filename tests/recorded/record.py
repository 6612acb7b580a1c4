"""What does the real shop send? `python -m tests.recorded.record` writes the files beside this one.

Four orders are placed at once, so that two parcels share a batch in the warehouse; one order is declined and
cancelled. What the services' exporters sent is stored as it came (`shop-NN.binpb`, one OTLP/HTTP protobuf
body each), and again as OTLP JSON, one request per line (`shop.jsonl`).
"""

import base64
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.sample_services.harness import NatsServer, Receiver, running, until

HERE = Path(__file__).parent
ORDERS = 4
TRIES = 10


def main() -> int:
    """Try until a recording holds a batch of two parcels; return the exit status."""
    for _ in range(TRIES):
        bodies = record()
        if bodies is not None:
            write(bodies)
            return 0
    sys.stderr.write(f"No batch of two parcels in {TRIES} recordings.\n")
    return 1


def record() -> list[bytes] | None:
    """The bodies of one run of the shop, or None if every parcel went alone."""
    receiver = Receiver()
    with tempfile.TemporaryDirectory() as store:
        nats = NatsServer(Path(store))
        nats.start()
        try:
            options = ("--rate", "40", "--orders", str(ORDERS), "--expired-cards", "0.25")
            with running(nats, receiver, *options):
                until(lambda: len(receiver.orders("OrderShipped")) == ORDERS - 1, 30)
                until(lambda: receiver.orders("OrderCancelled"), 30)
        finally:
            nats.stop()
            receiver.close()
    batches = [len(seen.span.links) for seen in receiver.reactions("warehouse")]
    return receiver.bodies if max(batches) > 1 else None


def write(bodies: list[bytes]) -> None:
    """Replace the recorded files."""
    for old in HERE.glob("shop*"):
        old.unlink()
    with (HERE / "shop.jsonl").open("w", encoding="utf-8") as lines:
        for number, body in enumerate(bodies, 1):
            (HERE / f"shop-{number:02}.binpb").write_bytes(body)
            lines.write(json.dumps(otlp_json(body), separators=(",", ":")) + "\n")


def otlp_json(body: bytes) -> Any:
    """An OTLP request as OTLP JSON: ids are in hex, where protobuf's own JSON has base64."""
    request = ExportTraceServiceRequest.FromString(body)
    return _with_hex_ids(MessageToDict(request, use_integers_for_enums=True))


def _with_hex_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_hex_ids(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64decode(item).hex()
        if key in ("traceId", "spanId", "parentSpanId")
        else _with_hex_ids(item)
        for key, item in value.items()
    }


if __name__ == "__main__":
    sys.exit(main())
