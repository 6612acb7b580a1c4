"""The console script `choreoscope`. Exit codes: 0 answered, 1 not found, refused or failed, 2 bad input."""

import sys

import click

from collector.commands.caring import store_
from collector.commands.demo import demo
from collector.commands.expecting import expectations
from collector.commands.failure import CommandError
from collector.commands.imports import import_
from collector.commands.reading import flow, flows, map_, stuck, why
from collector.commands.servers import collector, dashboard
from collector.commands.stitch import stitch
from collector.commands.sweeping import delete, dismiss
from collector.commands.terminal import harmless


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="choreoscope")
def choreoscope() -> None:
    """What happened to each order in a system without a conductor, and why an order stopped."""


for command in (
    *(demo, collector, dashboard, stuck, flows, flow, why, map_, expectations),
    *(dismiss, delete, stitch, import_, store_),
):
    choreoscope.add_command(command)


def main() -> None:
    """Run the command line; report errors in one line."""
    try:
        code = choreoscope.main(prog_name="choreoscope", standalone_mode=False)
    except CommandError as error:
        click.echo(f"choreoscope: {harmless(str(error))}", err=True)
        code = error.code
    except click.ClickException as error:
        click.echo(f"choreoscope: {error.format_message()}", err=True)
        code = 2
    except (click.Abort, KeyboardInterrupt):
        code = 130
    sys.exit(code if isinstance(code, int) else 0)
