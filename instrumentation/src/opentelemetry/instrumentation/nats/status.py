"""Which messages are the broker's own: heartbeats, flow control, no responders, no messages."""

from typing import Any, Final

_STATUS: Final = "Status"
_DIGITS: Final = 3


def is_status(message: Any) -> bool:
    """Whether *message* is a status, not published by anyone: a number in its header, and no body."""
    if message.data or not message.headers:
        return False
    status = message.headers.get(_STATUS)
    return isinstance(status, str) and len(status) == _DIGITS and status.isdigit()
