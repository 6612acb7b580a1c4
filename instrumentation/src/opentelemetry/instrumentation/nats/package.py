"""What this package instruments, in the form of a requirements file."""

_instruments = ("nats-py >= 2.10, < 3",)
