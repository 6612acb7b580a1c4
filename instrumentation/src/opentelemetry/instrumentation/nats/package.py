"""What this package instruments, as requirement strings."""

_instruments = ("nats-py >= 2.10, < 3",)
