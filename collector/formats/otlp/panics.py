"""Turns Rust panics into ordinary errors: a panic is not an `Exception`, so it would escape most handlers."""

from collections.abc import Iterator
from contextlib import contextmanager

from collector.formats.otlp.errors import OtlpError


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
