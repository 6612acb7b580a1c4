"""Span names group related messages, so they leave out the parts that vary between messages."""

import pytest
from opentelemetry.instrumentation.nats.templates import template


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("orders.placed", "orders.placed"),
        ("orders.7.placed", "orders.*.placed"),
        ("orders.A-17.placed", "orders.*.placed"),
        ("orders.order_123", "orders.*"),
        ("orders.2b8ff3a0-1c39-4ef3-a4ac-6f4f0f3e1b9d", "orders.*"),
        ("orders.0af7651916cd43dd8448eb211c80319c.paid", "orders.*.paid"),
        ("users.01HZX3J5K7M9P1R3T5V7X9Z1B3.seen", "users.*.seen"),
        ("users.gp2Y1bvDgTTQjSrIhF9t3e", "users.*"),
        ("v1.orders", "v1.orders"),
        ("eu.http2.s3.sha256", "eu.http2.s3.sha256"),
        ("facade.deadbeef.cafe", "facade.deadbeef.cafe"),  # words, not hexadecimal
        ("$KV.faults.payment", "$KV.faults.>"),
        ("$O.files.C.gp2Y1bvDgTTQjSrIhF9t3e", "$O.files.>"),
        ("", ""),
    ],
)
def test_template(subject: str, expected: str) -> None:
    assert template(subject) == expected
