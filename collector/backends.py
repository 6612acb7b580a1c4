"""Are the compiled parsers there, on which our limits rest?

Protobuf in pure Python is a hundred times slower, and its parser recurses as deeply as a sender likes
(CVE-2025-4565). It is what remains if the compiled one cannot be loaded, or if somebody asks for it.
"""

from google.protobuf.internal import api_implementation


class BackendError(Exception):
    """A parser that is not safe to put before senders."""


def require_compiled() -> None:
    """Raise `BackendError`, in one line, if protobuf would parse in Python."""
    found = api_implementation.Type()
    if found == "python":
        raise BackendError(
            f"The backend of protobuf is '{found}': expected 'upb', its compiled one. Unset"
            " PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION, or install protobuf for this platform again."
        )
