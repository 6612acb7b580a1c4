"""`choreoscope stitch`: turns trace files into a causal graph. Nothing is stored, and no server is needed."""

from pathlib import Path

import click
import msgspec
import pyarrow as pa

from collector import allocator, conventions
from collector.commands import text
from collector.commands.failure import CommandError
from collector.commands.files import files, found_in
from collector.commands.reading import formats_with, show
from collector.config import Config, ConfigError
from collector.conventions import Naming, still_shown
from collector.formats import Problem
from collector.model.answers import Note
from collector.model.hiding import Hiding
from collector.pictures import PICTURES
from collector.queries.causal_graph import causal_graph
from collector.stitching import Keying
from collector.stitching import stitch as stitched

_SETTINGS = ("flow_keys", "key_flows", "correlation_ids", "causation_ids", "event_names", "hide")


@click.command()
@files
@click.option("--flow-key", "flow_keys", multiple=True, help="Attribute that names a flow; may be repeated.")
@formats_with(*PICTURES)
def stitch(files: tuple[Path, ...], flow_keys: tuple[str, ...], style: str) -> None:
    """Stitch trace files into flows.

    FILES are traces as OTLP (JSON, one document or one a line, or protobuf), Jaeger, Tempo or Zipkin
    write them, gzipped or not; - is the standard input.
    """
    allocator.keep()
    naming, keying = _settings(flow_keys)
    for said in still_shown(naming):
        click.echo(f"choreoscope: {said}", err=True)
    readings, notes = [], []
    spelled: dict[bytes, str] = {}
    for file, found in found_in(files, naming.hiding):
        readings.append(conventions.read(found.spans, naming))
        notes += [_note(file, problem, naming.hiding) for problem in found.problems]
        for octets, written in found.spelled.items():  # the smallest one, as files have no order
            spelled[octets] = min(written, spelled.get(octets, written))
    graph = stitched(pa.concat_tables(readings), keying)
    answer = causal_graph(graph, spelled=spelled, notes=notes)
    show(msgspec.to_builtins(answer), style, PICTURES.get(style, text.stitched))


def _settings(flow_keys: tuple[str, ...]) -> tuple[Naming, Keying]:
    """The collector's settings, unless the command line overrides them."""
    try:
        config = Config.from_env(only=_SETTINGS)
    except ConfigError as error:
        raise CommandError(str(error)) from error
    hiding = Hiding(config.hide)
    keys = flow_keys or config.flow_keys
    naming = Naming(keys, config.correlation_ids, config.causation_ids, config.event_names, hiding)
    return naming, Keying(config.key_flows)


def _note(file: Path, problem: Problem, hiding: Hiding) -> Note:
    return Note(kind=problem.kind.value, ref=problem.ref, text=f"{file}: {problem.told(hiding)}")
