"""What is wrong with a request? Errors worded so that its sender can fix it; panics become such errors."""

from collections.abc import Iterator
from contextlib import contextmanager


class OtlpError(Exception):
    """A body that cannot be read at all: the sender must not retry it."""


@contextmanager
def panics_as_otlp_errors() -> Iterator[None]:
    """Turn a panic in a Rust decoder into an `OtlpError`; let everything else through."""
    try:
        yield
    except BaseException as error:
        # PyO3 creates the class at run time, in a module that cannot be imported.
        if type(error).__module__ != "pyo3_runtime":
            raise
        raise OtlpError(f"The body is no ExportTraceServiceRequest: its decoder failed ({error}).") from error
