"""`python -m sample_services`: the whole shop; `python -m sample_services SERVICE`: one process of it."""

import argparse
import asyncio
import dataclasses
import logging
import signal
import sys
from collections.abc import Sequence

from . import settings as setting
from .process import run
from .services import SERVICES
from .settings import SettingError, Settings
from .supervisor import Supervisor

log = logging.getLogger("shop")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; return the exit status, 2 for an invalid setting."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.DEBUG if given.verbose else logging.INFO,
        format="%(asctime)s %(name)s: %(message)s",
        datefmt="%H:%M:%S",
        stream=sys.stderr,
    )
    # asyncio warns of children that end while they are starting, as on Ctrl-C.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    logging.getLogger("urllib3").setLevel(logging.INFO)
    try:
        settings = Settings.from_env()
        if given.rate is not None:
            settings = dataclasses.replace(settings, orders_per_second=setting.rate(given.rate))
        if given.orders is not None:
            settings = dataclasses.replace(settings, orders=setting.count(given.orders))
        if given.expired_cards is not None:
            settings = dataclasses.replace(settings, expired_cards=setting.share(given.expired_cards))
        if given.control is not None:
            host, port = setting.control_address(given.control, "--control")
            settings = dataclasses.replace(settings, control_host=host, control_port=port)
        if given.service != "all":
            return run(given.service, settings, given.instance, given.supervised)
        return asyncio.run(_run_all(settings, frozenset(given.without)))
    except SettingError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sample_services", description=__doc__)
    parser.add_argument(
        "service", nargs="?", default="all", choices=["all", *SERVICES], help="one service, or all of them"
    )
    parser.add_argument("--rate", help="orders placed per second (default 5; 0 for none)")
    parser.add_argument("--orders", help="how many orders to place (default: no end)")
    parser.add_argument(
        "--expired-cards", help="share of the orders whose payment is declined (default 0.08)"
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        choices=list(SERVICES),
        help="leave a service out (again for more)",
    )
    parser.add_argument("--control", help="address of the fault control (default 127.0.0.1:4320)")
    parser.add_argument("--instance", type=int, default=1, help="which of a service's processes this is")
    parser.add_argument("--verbose", action="store_true", help="say more")
    parser.add_argument("--supervised", action="store_true", help=argparse.SUPPRESS)
    return parser


async def _run_all(settings: Settings, without: frozenset[str]) -> int:
    # Here, because a service alone serves nothing: ten processes start in four fifths of the time.
    from .control import bind, serve  # noqa: PLC0415

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    listening = bind(settings.control_host, settings.control_port)
    supervisor = Supervisor(settings, without)
    log.info(
        "%d services; faults at http://%s:%d/faults", len(supervisor.names), *listening.getsockname()[:2]
    )
    await asyncio.gather(supervisor.run(stop), serve(supervisor, listening, stop))
    return 0


if __name__ == "__main__":
    sys.exit(main())
