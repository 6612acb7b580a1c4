"""`choreoscope stitch`: trace files in, causal graph out. Nothing is stored and no server is asked."""

from pathlib import Path

import click
import pyarrow as pa

from collector import conventions, memory
from collector.commands import text
from collector.commands.answers import formats_with, show
from collector.commands.errors import CommandError
from collector.commands.files import files, found_in
from collector.config import Config, ConfigError
from collector.conventions import Naming
from collector.documents import Document, document
from collector.formats import Problem
from collector.pictures import PICTURES
from collector.stitching import Keying
from collector.stitching import stitch as stitched

_SETTINGS = ("flow_keys", "key_flows", "correlation_ids", "causation_ids")


@click.command()
@files
@click.option("--flow-key", "flow_keys", multiple=True, help="Attribute that names a flow; may be repeated.")
@formats_with(*PICTURES)
def stitch(files: tuple[Path, ...], flow_keys: tuple[str, ...], style: str) -> None:
    """Stitch trace files into flows.

    FILES are traces as OTLP (JSON, one document or one a line, or protobuf), Jaeger, Tempo or Zipkin
    write them, gzipped or not; - is the standard input.
    """
    memory.keep()
    naming, keying = _settings(flow_keys)
    readings, notes = [], []
    spelled: dict[bytes, str] = {}
    for file, found in found_in(files):
        readings.append(conventions.read(found.spans, naming))
        notes += [_note(file, problem) for problem in found.problems]
        for octets, written in found.spelled.items():  # the smallest: files have no order
            spelled[octets] = min(written, spelled.get(octets, written))
    graph = stitched(pa.concat_tables(readings), keying)
    answer = document(graph, spelled=spelled, notes=notes)
    show(answer, style, PICTURES.get(style, text.stitched))


def _settings(flow_keys: tuple[str, ...]) -> tuple[Naming, Keying]:
    """What the collector's settings say, but for what the command itself was told."""
    try:
        config = Config.from_env(only=_SETTINGS)
    except ConfigError as error:
        raise CommandError(str(error)) from error
    naming = Naming(flow_keys or config.flow_keys, config.correlation_ids, config.causation_ids)
    return naming, Keying(config.key_flows)


def _note(file: Path, problem: Problem) -> Document:
    return {"kind": problem.kind.value, "ref": problem.ref, "text": f"{file}: {problem.text}"}
