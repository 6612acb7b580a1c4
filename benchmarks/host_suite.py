"""Does the nats-py project's own test suite give the same results with the instrumentation on?

    python benchmarks/host_suite.py CHECKOUT [PYTEST OPTION...]

CHECKOUT is a folder with that project's `tests`, as in its repository. They run three times: without the
instrumentation; with it, while the real SDK creates spans and metrics but no context is injected; and with it
as a service uses it. In the last case a message has one header more than the test gave it, so tests that
compare headers as a whole or count bytes differ, and no others should. Tests that differ are run once more
each way, because some of them are flaky. This needs `nats-server` on the PATH, and the ports from 4222 on for
itself.

Figures, nats-py 2.16.0 with the tests of 2.14.0, without the certificates and keys that some of them need:
223 passed, 27 failed and 16 were skipped without the instrumentation, and the same with it but without
context. With context nine others failed each time, all of them because of the header.
"""

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from pathlib import Path

import pytest

WAYS = ("without", "with it, without context", "with it")
# Our pytest plugins, which these tests are not written for.
OURS = ("randomly", "asyncio", "xdist", "cacheprovider", "hypothesispytest")
OPTIONS = ["-q", "--tb=short", "--timeout=60", *(f"-pno:{name}" for name in OURS)]


class Results:
    """A pytest plugin that records the result of each test."""

    def __init__(self) -> None:
        self.of: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record the result of the call, or of a setup or teardown that did not pass."""
        if report.when == "call" or not report.passed:
            self.of[report.nodeid] = report.outcome


def instrument() -> None:
    """Instrument this process as a service would do it."""
    from opentelemetry.instrumentation.nats import NatsInstrumentor  # noqa: PLC0415
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: PLC0415

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))
    NatsInstrumentor().instrument(
        tracer_provider=provider, meter_provider=MeterProvider([InMemoryMetricReader()]), started=True
    )


def results(checkout: str, way: str, options: list[str]) -> dict[str, str]:
    """The result of each test of *checkout*, run in a separate process."""
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "results.json"
        path = os.pathsep.join((sysconfig.get_path("scripts"), os.environ["PATH"]))
        propagators = {} if way == "with it" else {"OTEL_PROPAGATORS": "none"}
        subprocess.run(
            [sys.executable, __file__, "--run", way, str(kept), *options],
            cwd=checkout,
            env=os.environ | {"PATH": path} | propagators,
            check=True,
        )
        found: dict[str, str] = json.loads(kept.read_text())
        return found


def run(way: str, kept: str, options: list[str]) -> None:
    """Run the tests of the working directory in this process, and write their results to the file *kept*."""
    if way != "without":
        instrument()
    plugin = Results()
    sys.path.insert(0, str(Path.cwd()))
    pytest.main([*OPTIONS, *options], plugins=[plugin])
    Path(kept).write_text(json.dumps(plugin.of))


def differing(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """The tests whose results differ."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def main() -> None:
    """Run the tests each way, and print where they differ."""
    checkout, *options = sys.argv[1:]
    found = {way: results(checkout, way, ["tests", *options]) for way in WAYS}
    for way in WAYS:
        print(f"{way}: {dict(Counter(found[way].values()))}", flush=True)
    for way in WAYS[1:]:
        for name in differing(found["without"], found[way]):
            before, after = (results(checkout, each, [name]).get(name) for each in ("without", way))
            said = "again" if before != after else "not again"
            print(f"{way}: {name}: {found['without'].get(name)} became {found[way].get(name)}; {said}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run(sys.argv[2], sys.argv[3], sys.argv[4:])
    elif len(sys.argv) > 1:
        main()
    else:
        sys.exit(__doc__)
