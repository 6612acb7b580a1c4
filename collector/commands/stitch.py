"""`choreoscope stitch`: trace files in, causal graph out. Nothing is stored and no server is asked."""

import codecs
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
from collector.commands.answers import formats_with, show
from collector.commands.errors import CommandError
from collector.documents import document
from collector.otlp import Body, Encoding, decode
from collector.pictures import PICTURES
from collector.stitching import stitch as stitched


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--flow-key", "flow_keys", multiple=True, help="Attribute that names a flow; may be repeated.")
@formats_with(*PICTURES)
def stitch(files: tuple[Path, ...], flow_keys: tuple[str, ...], style: str) -> None:
    """Stitch trace files into flows.

    FILES are OTLP requests: JSON (one document, or one a line) or protobuf, gzipped or not; - is the
    standard input.
    """
    names = flow_keys or conventions.DEFAULT_FLOW_KEYS
    readings = [conventions.read(_spans_of(file), names) for file in files]
    show(document(stitched(pa.concat_tables(readings))), style, PICTURES.get(style, text.stitched))


def bodies(data: bytes) -> list[Body]:
    """The requests in a file: a JSON document, one on each line, or one protobuf message."""
    shown = data.removeprefix(codecs.BOM_UTF8).strip()
    if not shown:
        return []
    if _is_json(shown):
        return [Body(shown, Encoding.JSON)]
    lines = [line for line in shown.splitlines() if line.strip()]
    if len(lines) > 1 and _is_json(lines[0]):
        return [Body(line, Encoding.JSON) for line in lines]
    # A line feed is how a protobuf request begins, so that what follows it may be any byte, "{" as well.
    if shown.startswith(b"{") and not data.startswith(b"\n"):
        return [Body(shown, Encoding.JSON)]
    return [Body(data, Encoding.PROTOBUF)]


def _is_json(data: bytes) -> bool:
    if not data.startswith(b"{"):
        return False
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except msgspec.DecodeError:
        return False
    return True


def _spans_of(file: Path) -> pa.Table:
    requests = bodies(_read(file))
    if not requests:
        msg = f"{file} is empty: expected OTLP JSON or protobuf."
        raise CommandError(msg)
    decoded = decode(requests, time.time_ns())
    for number, verdict in enumerate(decoded.verdicts, 1):
        if verdict.error is not None:
            which = f"{file}" if len(requests) == 1 else f"{file}, line {number} of {len(requests)},"
            msg = f"{which} is no OTLP request: {verdict.error} Expected OTLP JSON or protobuf."
            raise CommandError(msg) from verdict.error
    refused = sum(verdict.rejected for verdict in decoded.verdicts)
    if refused:
        said = next(verdict.message for verdict in decoded.verdicts if verdict.rejected)
        click.echo(f"choreoscope: {file}: {refused} spans can not be used. {said}", err=True)
    elif not decoded.spans.num_rows:
        click.echo(f"choreoscope: {file}: no spans in it. Expected OTLP's resourceSpans.", err=True)
    return decoded.spans


def _read(file: Path) -> bytes:
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        msg = f"{file} can not be read: {reason}. Expected a file with OTLP JSON or protobuf."
        raise CommandError(msg) from error
