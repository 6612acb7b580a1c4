"""Panics of compiled code. Rust's are no `Exception`: whoever catches only those is ended by one."""

from collections.abc import Iterator
from contextlib import contextmanager

from collector.formats.otlp.errors import OtlpError


@contextmanager
def panics_as_otlp_errors() -> Iterator[None]:
    """Turn a panic of a decoder written in Rust into an `OtlpError`; let everything else through."""
    try:
        yield
    except BaseException as error:
        # PyO3 makes the class at run time, in a module that cannot be imported.
        if type(error).__module__ != "pyo3_runtime":
            raise
        raise OtlpError(f"The body is no ExportTraceServiceRequest: its decoder failed ({error}).") from error
