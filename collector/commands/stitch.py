"""`choreoscope stitch`: trace files in, causal graph out. Nothing is stored and no server is asked."""

import gzip
import sys
import time
import zlib
from pathlib import Path

import click
import msgspec
import pyarrow as pa

from collector import conventions
from collector.commands import text
from collector.commands.answers import formats, show
from collector.commands.errors import CommandError
from collector.documents import document
from collector.otlp import Body, Encoding, decode
from collector.stitching import stitch as stitched


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--flow-key", "flow_keys", multiple=True, help="Attribute that names a flow; may be repeated.")
@formats
def stitch(files: tuple[Path, ...], flow_keys: tuple[str, ...], style: str) -> None:
    """Stitch trace files into flows.

    FILES are OTLP requests: JSON (one document, or one a line) or protobuf, gzipped or not; - is the
    standard input.
    """
    tables = []
    for file in files:
        requests = bodies(_read(file))
        if not requests:
            msg = f"{file} is empty: expected OTLP JSON or protobuf."
            raise CommandError(msg)
        decoded = decode(requests, time.time_ns())
        refused = 0
        for verdict in decoded.verdicts:
            if verdict.error is not None:
                msg = f"{file} is no OTLP request: {verdict.error} Expected OTLP JSON or protobuf."
                raise CommandError(msg) from verdict.error
            refused += verdict.rejected
        if refused:
            said = next(verdict.message for verdict in decoded.verdicts if verdict.rejected)
            click.echo(f"choreoscope: {file}: {refused} spans can not be used. {said}", err=True)
        tables.append(decoded.spans)
    names = flow_keys or conventions.DEFAULT_FLOW_KEYS
    show(document(stitched(conventions.read(pa.concat_tables(tables), names))), style, text.stitched)


def bodies(data: bytes) -> list[Body]:
    """The requests in a file: a JSON document, one on each line, or one protobuf message."""
    if not data.strip():
        return []
    if data.lstrip()[:1] != b"{":
        return [Body(data, Encoding.PROTOBUF)]
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except msgspec.DecodeError:
        lines = [line for line in data.splitlines() if line.strip()]
        if len(lines) > 1:
            return [Body(line, Encoding.JSON) for line in lines]
    return [Body(data, Encoding.JSON)]


def _read(file: Path) -> bytes:
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        msg = f"{file} can not be read: {reason}. Expected a file with OTLP JSON or protobuf."
        raise CommandError(msg) from error
