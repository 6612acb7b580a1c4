"""Do documents and code agree? What is documented exists, and what exists is documented."""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from collector.api.openapi import ANSWERS
from collector.commands import choreoscope
from collector.config import Config, variable
from collector.diagnosis import CAUSES, RULES, Habits
from collector.diagnosis.debts import Debt
from collector.live.tick import Pacing
from collector.model.answers import Answer, Error, Stitched
from collector.model.flows import State
from collector.model.notes import LeftOut, NoteKind, Trouble
from collector.stitching import Because
from tests.collecting import Collector
from tests.factories import SECOND
from tests.scenes import order

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    page
    for folder in (".", "docs", "docs/adr", "instrumentation", "tests/recorded")
    for page in (ROOT / folder).glob("*.md")
)
ADRS = sorted((ROOT / "docs" / "adr").glob("*.md"))
STOPPED = "A-17"
CLIENTS = {  # settings of the dashboard and the commands
    f"CHOREOSCOPE_{name}"
    for name in (
        "API",
        "DASHBOARD",
        "SHOP",
        "USERS",
        "TRACE_LINK",
        "TLS_CA",
        "TLS_CLIENT_CERT",
        "TLS_CLIENT_KEY",
    )
}
OPEN = {"attributes", "resource"}  # their fields are whatever a sender wrote


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(page: str, heading: str) -> str:
    """The text under *heading*, up to the next heading of its level or above."""
    level = len(heading) - len(heading.lstrip("#"))
    _, found, rest = f"\n{text_of(page)}".partition(f"\n{heading}\n")
    assert found, f"{page} has no {heading}"
    return re.split(rf"\n#{{1,{level}}} ", rest)[0]


def first_column(text: str) -> set[str]:
    """The names in backticks at the start of table rows."""
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])}


# The words of the diagnosis


def test_every_rule_is_described_in_the_order_in_which_it_is_asked() -> None:
    """A person who reads a finding can look up how it is derived."""
    rows = [line for line in section("docs/diagnosis.md", "## Rules").splitlines() if line.startswith("| `")]

    assert [row.split("`")[1] for row in rows] == [rule.__name__ for rule in RULES]
    assert {row.split("`")[3] for row in rows} == set(CAUSES)


def test_every_cause_is_described() -> None:
    causes = section("docs/answers.md", "## stuck").split("| `cause` | what happened |")[1]

    assert first_column(causes) == set(CAUSES)


def test_every_state_and_debt_is_described() -> None:
    assert first_column(section("docs/diagnosis.md", "## States")) == {state.word for state in State}
    owed = section("docs/diagnosis.md", "## What a flow can owe")
    assert re.findall(r"^\| (\w+) \|", owed, re.MULTILINE)[1:] == [debt.name.lower() for debt in Debt]


def test_every_note_and_reason_is_described() -> None:
    notes = section("docs/answers.md", "## stitch").split("| `kind` of a note |")[1]

    assert first_column(notes) == {kind.name.lower() for kind in NoteKind} | set(Trouble) | set(LeftOut)
    row = next(line for line in text_of("docs/answers.md").splitlines() if line.startswith("| `because` |"))
    assert {because.name.lower() for because in Because} <= set(re.findall(r"`(\w+)`", row))


def test_the_figures_are_those_of_the_code() -> None:
    """If the manual has a wrong figure, readers look for the fault in their data."""
    page, habits, pacing, config = text_of("docs/diagnosis.md"), Habits(), Pacing(), Config()

    assert (config.learn_flows, config.deadline_s * 1000) == (habits.flows, habits.deadline_floor_ms)
    assert (habits.deadline_factor, habits.odd_factor, habits.run) == (3, 10, 3)
    assert habits.long_slack_ms == 3_600_000
    for said in (
        f"fewer than {habits.flows} examples (`CHOREOSCOPE_LEARN_FLOWS`)",
        f"at most {habits.missed_share:.0%} of them were missed".replace("%", " %"),
        f"so none of the first {1 / habits.missed_share - 1:.0f}",
        f"{habits.firm} examples in which it happened for each miss, and for one miss more",
        f"Below {habits.firm} examples",
        f"in at least {habits.sources * 100:g} % of such flows",
        f"publishes nothing in {100 - habits.rare * 100:g} of 100",
        f"three times the p99, but not more than {habits.long_factor:g} times the p99 and an hour",
        f"at least {config.deadline_s:g} s (`CHOREOSCOPE_DEADLINE_S`)",
        f"newest {habits.window:,} examples",
        f"over {habits.odd_floor_ms / 1e3:g} s and over ten times the median",
        f"in {habits.slow_minutes} of the newest 60 minutes",
        f"a probability below {habits.chance:.0e}".replace("e-0", "e-"),
        f"of which there must be {habits.baseline}",
        f"missed for {habits.forgotten_s / 86_400:g} days and never seen",
        f"After {habits.disused_s / 3_600:g} h the pages ask",
        f"after {habits.taken_over} of them in a row the step is *forgotten*",
        f"At most {habits.most_steps:,} steps",
        f"for a while ({pacing.quiet_s:g} s, or three times",
        f"at most {pacing.quiet_most_s / 60:g} minutes)",
        f"for more than {pacing.pause_s:g} s)",
        f"A flow of more than {pacing.most_flow_spans:,} spans",
    ):
        assert said in page


# The documents that the API answers with


def fields(value: Any, under: str = "") -> Iterator[str]:
    """The path of every field in *value*: `stuck[].missing.service`."""
    if isinstance(value, list):
        for entry in value:
            yield from fields(entry, f"{under}[]")
    elif isinstance(value, dict):
        for name, entry in value.items():
            yield f"{under}.{name}"
            if name not in OPEN:
                yield from fields(entry, f"{under}.{name}")


def hollow(value: Any, under: str = "") -> Iterator[str]:
    """The path of everything in *value* that could have fields but is null or an empty list."""
    if value is None or value == []:
        yield under
    elif isinstance(value, list):
        for entry in value:
            yield from hollow(entry, f"{under}[]")
    elif isinstance(value, dict):
        for name, entry in value.items():
            yield from hollow(entry, f"{under}.{name}")


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A collector that learned from 30 orders; a later one stopped at payment."""
    running = Collector(tmp_path_factory.mktemp("docs"), CHOREOSCOPE_DEADLINE_S="1").start()
    sent_at = time.time_ns() - 3 * SECOND
    running.send([one for number in range(30) for one in order(f"L-{number}", sent_at)])
    wait_until(lambda: running.ask("/summary")["learning"]["flows"] == 30)
    running.send(order(STOPPED, time.time_ns(), down={"payment"}))
    wait_until(lambda: running.ask("/stuck")["total"] == 1)
    yield running
    running.stop()


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until, "not within 20 s"
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("flows", "/flows?limit=5"),
        ("flow", f"/flows/{STOPPED}"),
        ("spans", f"/spans/{STOPPED}"),
        ("stuck", "/stuck"),
        ("map", "/map"),
        ("connections", "/connections"),
        ("expectations", "/expectations"),
        ("summary", "/summary"),
    ],
)
def test_the_documents_have_the_fields_that_are_promised(collector: Collector, name: str, path: str) -> None:
    """In both directions: no field is missing, and none is undocumented."""
    compare(name, collector.ask(path))


@pytest.mark.parametrize("shape", [one for one in ANSWERS if one is not Error])
def test_the_examples_have_the_shapes_of_the_answers(shape: type[Answer]) -> None:
    """Types as well as names: whoever writes a client copies them from here."""
    name = "stitch" if shape is Stitched else shape.__name__.lower()
    promised = json.loads(example(name))

    assert set(fields(msgspec.to_builtins(msgspec.convert(promised, shape)))) == set(fields(promised))


def test_the_findings_of_a_flow_are_those_of_the_list(collector: Collector) -> None:
    """So the manual needs to describe them only once."""
    listed, alone = collector.ask("/stuck"), collector.ask(f"/why/{STOPPED}")
    shown = collector.ask(f"/flows/{STOPPED}")["findings"]

    more = {field for field in fields(listed) if field.startswith((".drops", ".rests_on"))}
    more |= {".flows", ".next_cursor", ".unlisted", ".unexplained", ".dismissed"}
    assert set(fields(alone)) - {".notes", ".set_aside"} | more == set(fields(listed))
    assert set(fields(shown)) == set(fields(listed["stuck"]))
    assert json.loads(example("why")).keys() == alone.keys()


def test_the_graph_has_the_fields_that_are_promised(collector: Collector) -> None:
    """Of a real shop's spans, batches included; leaving out every second request adds notes."""
    bodies = [body.read_bytes() for body in sorted((ROOT / "tests" / "recorded").glob("*.binpb"))]
    answers = [
        httpx.post(
            f"{collector.api}/api/v1/stitch",
            content=b"".join(chosen),  # concatenated protobuf messages are merged
            headers={"content-type": "application/x-protobuf"},
            trust_env=False,
        )
        for chosen in (bodies, bodies[::2])
    ]
    compare("stitch", *(answer.raise_for_status().json() for answer in answers))


def example(name: str) -> str:
    """The example of the document *name* in the manual."""
    return section("docs/answers.md", f"## {name}").split("```json\n")[1].split("```")[0]


def compare(name: str, *answers: Any) -> None:
    """Assert that the manual's document *name* and all *answers* together have the same fields."""
    promised = json.loads(example(name))
    given = {field for answer in answers for field in fields(answer)}
    empty = {path for answer in answers for path in hollow(answer)}

    assert not {path for path in given - set(fields(promised)) if not below(path, set(hollow(promised)))}
    assert not {path for path in set(fields(promised)) - given if not below(path, empty)}


def below(path: str, tops: set[str]) -> bool:
    """Whether *path* is below one of *tops*."""
    return any(path.startswith((f"{top}.", f"{top}[")) for top in tops)


# The pages as a whole


def test_every_document_of_the_api_has_a_section(collector: Collector) -> None:
    paths = collector.get("/openapi.json").raise_for_status().json()["paths"]
    addresses = {path.removeprefix("/api/v1/").split("/")[0] for path in paths if path.startswith("/api/v1/")}
    told = text_of("docs/answers.md")

    assert all(f"/api/v1/{address}" in told for address in addresses)


def test_every_shape_that_a_path_answers_with_is_described(collector: Collector) -> None:
    document = collector.get("/openapi.json").raise_for_status().text
    named = set(re.findall(r"#/components/schemas/(\w+)", document))

    assert named <= json.loads(document)["components"]["schemas"].keys()


def test_every_command_is_in_the_readme_and_every_one_in_it_is_there() -> None:
    table = section("README.md", "## Commands")

    assert set(re.findall(r"^\| `choreoscope (\w+)", table, re.MULTILINE)) == set(choreoscope.commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_speaks_of_what_is_there(page: Path) -> None:
    """Its commands, make targets, settings and links to files and headings exist."""
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"(?<!-)\bchoreoscope ([a-z]+)\b", without_prose(text)):
        assert name in {*choreoscope.commands, *NOT_YET}, f"choreoscope {name}"
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", text)) <= targets
    known = {variable(name) for name in Config.__dataclass_fields__} | CLIENTS
    assert set(re.findall(r"\bCHOREOSCOPE_[A-Z_]+[A-Z]\b", text)) <= known
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith("https://"):
            assert_leads_somewhere(page, target)


NOT_YET = {"check"}  # named where the README says what is missing


def without_prose(text: str) -> str:
    """Only the code: blocks, and what is in backticks."""
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))


def assert_leads_somewhere(page: Path, target: str) -> None:
    name, _, anchor = target.partition("#")
    aim = (page.parent / name).resolve() if name else page
    assert aim.exists(), f"{page.name} links to {target}"
    if anchor:
        headings = re.findall(r"^#+ (.*)$", aim.read_text(encoding="utf-8"), re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert anchor in anchors, f"{page.name} links to {target}"


def test_decisions_are_numbered_and_say_why() -> None:
    """Each has context, decision and consequences, and the architecture lists them all."""
    architecture = text_of("ARCHITECTURE.md")
    assert [int(page.name[:4]) for page in ADRS] == list(range(1, len(ADRS) + 1))
    for number, page in enumerate(ADRS, 1):
        text = page.read_text(encoding="utf-8")
        assert re.match(rf"# {number}\. ", text), page.name
        assert re.findall(r"^## (\w+)", text, re.MULTILINE)[:3] == ["Context", "Decision", "Consequences"]
        assert f"(docs/adr/{page.name})" in architecture, page.name


def test_no_cause_is_both_given_and_said_to_be_missing() -> None:
    given = set(CAUSES)
    told = re.search(r"causes that cannot be told yet: (.*?)\.\n", text_of("docs/answers.md"), re.DOTALL)
    missing = re.search(r"the causes (.*?) need it", text_of("ARCHITECTURE.md"))
    assert told is not None
    assert missing is not None

    for sentence in (told[1], missing[1]):
        names = set(re.findall(r"`(\w+)`", sentence))
        assert names
        assert not names & given
