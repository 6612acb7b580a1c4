"""The console script `choreoscope`. Exit codes: 0 answered, 1 not found, refused or failed, 2 bad input."""

import sys
from collections import UserDict
from collections.abc import Iterator, Mapping
from importlib import import_module

import click

from collector.commands.failure import CommandError
from collector.commands.terminal import harmless

# Each command with its module and its name there: most of them need little, some need the engine.
_COMMANDS: Mapping[str, tuple[str, str]] = {
    "demo": ("demo", "demo"),
    "collector": ("servers", "collector"),
    "dashboard": ("servers", "dashboard"),
    "stuck": ("reading", "stuck"),
    "flows": ("reading", "flows"),
    "flow": ("reading", "flow"),
    "why": ("reading", "why"),
    "map": ("reading", "map_"),
    "doctor": ("doctor", "doctor"),
    "expectations": ("expecting", "expectations"),
    "consumers": ("broker_state", "consumers"),
    "dismiss": ("sweeping", "dismiss"),
    "delete": ("sweeping", "delete"),
    "stitch": ("stitch", "stitch"),
    "import": ("imports", "import_"),
    "store": ("caring", "store_"),
}


class _OnDemand(UserDict[str, click.Command]):
    """Loads the module of a command when somebody asks for the command."""

    def __init__(self, places: Mapping[str, tuple[str, str]]) -> None:
        super().__init__()
        self._places = places

    def __getitem__(self, name: str) -> click.Command:
        module, command = self._places[name]
        found: click.Command = getattr(import_module(f"{__name__}.{module}"), command)
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


@click.group(
    commands=_OnDemand(_COMMANDS),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="choreoscope")
def choreoscope() -> None:
    """What happened to each order in a system without a conductor, and why an order stopped."""


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
