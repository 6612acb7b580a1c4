"""The error for an unreadable request, worded so that its sender can fix it."""


class OtlpError(Exception):
    """A body that cannot be read at all: the sender must not retry it."""
