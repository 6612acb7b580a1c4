"""What does an attack achieve? Every payload through every door of one collector, which must not notice.

All attacks are made once, one after the other, before the first test. A test looks at what became of one.
"""

import re
import signal
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import pytest

from tests.collecting import Collector
from tests.factories import trace_id
from tests.hostile import http2_talk, http_talk, json_bodies, packed_bodies, protobuf_bodies
from tests.hostile.questions import questions
from tests.hostile.striking import JSON, PATIENCE_S, PROTOBUF, Doors, Outcome, framed, statuses, talk

BODIES = {**protobuf_bodies.CASES, **json_bodies.CASES}
ASKED = {question.name: question for question in questions()}
_PER_KIND = 5  # lines of one kind that the log may have in a minute


@dataclass
class Struck:
    """What became of each attack, by door and name, and of the collector."""

    outcomes: dict[tuple[str, str], Outcome] = field(default_factory=dict)
    talked: dict[tuple[str, str], tuple[bytes, float]] = field(default_factory=dict)
    honest: list[int] = field(default_factory=list)
    spans: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    kept: int = 0
    ready: int = 0
    smuggled: int = 0
    deaths: str = ""
    code: int = -1
    log: str = ""

    def of(self, door: str, name: str) -> Outcome:
        """The outcome of one attack; it was answered in time, and not by a fault of ours."""
        outcome = self.outcomes[door, name]
        assert outcome.seconds < PATIENCE_S, "it kept the collector busy"
        assert 0 < outcome.status < 500, outcome.text
        return outcome


@pytest.fixture(scope="module")
def struck(tmp_path_factory: pytest.TempPathFactory) -> Struck:
    """What is left after all attacks on one collector."""
    folder = tmp_path_factory.mktemp("hostile")
    collector = Collector(folder).start()
    doors, found = Doors(collector), Struck()

    def strike(door: str, name: str, attack: Callable[[], Outcome]) -> None:
        found.outcomes[door, name] = attack()

    try:
        for name, (_, made) in BODIES.items():
            body = made() if callable(made) else made
            is_json = name in json_bodies.CASES
            strike("http", name, partial(doors.http, body, JSON if is_json else PROTOBUF))
            strike("stitch", name, partial(doors.api, "/api/v1/stitch", body))
            if not is_json:
                strike("grpc", name, partial(doors.grpc, body))
        found.honest.append(doors.honest().status)
        for name, (_, coding, pack) in packed_bodies.CASES.items():
            packed = {} if coding is None else {"content-encoding": coding}
            strike("packed", name, partial(doors.http, pack(), PROTOBUF | packed))
            strike("packed stitch", name, partial(doors.api, "/api/v1/stitch", pack(), packed))
        found.honest.append(doors.honest().status)
        for name, octets in http_talk.CASES.items():
            for door, port in (("http", collector.http_port), ("api", collector.api_port)):
                found.talked[door, name] = talk(port, octets)
        found.honest.append(doors.honest().status)
        for name, octets_or_made in http2_talk.CASES.items():
            found.talked["grpc", name] = talk(collector.grpc_port, framed(octets_or_made))
        found.honest.append(doors.honest().status)
        for question in ASKED.values():
            asked = partial(doors.api, question.path, question.body, question.headers, question.method)
            strike("api", question.name, asked)
        found.honest.append(doors.honest().status)
        found.honest.append(
            doors.grpc(http_talk.SMUGGLED.replace(trace_id("smuggled"), trace_id("other"))).status
        )
        found.spans = collector.ask("/summary")["spans"]
        found.ready = collector.get("/readyz").status_code
        found.smuggled = collector.get(f"/api/v1/spans/{trace_id('smuggled').hex()}").status_code
        found.deaths = collector.get("/metrics").text
        doors.close()
    finally:
        found.code = collector.stop(signal.SIGTERM)
    found.log = (folder / "collector.log").read_bytes().decode(errors="replace")
    return found


@pytest.mark.parametrize("name", BODIES)
def test_a_body_is_refused_or_is_data(struck: Struck, name: str) -> None:
    expected = BODIES[name][0]

    for door in ("http", "grpc") if name in protobuf_bodies.CASES else ("http",):
        status = struck.of(door, name).status

        assert status == 200 if expected == "kept" else status >= 400 if expected == "refused" else True


@pytest.mark.parametrize("name", BODIES)
def test_a_body_as_a_file_is_read_or_said_to_be_none(struck: Struck, name: str) -> None:
    outcome = struck.of("stitch", name)

    assert outcome.status in (200, 400, 413)
    assert not controls(outcome.text)


@pytest.mark.parametrize("name", packed_bodies.CASES)
def test_a_packing_is_undone_or_refused(struck: Struck, name: str) -> None:
    expected = packed_bodies.CASES[name][0]
    status = struck.of("packed", name).status

    assert status == 200 if expected == "kept" else status >= 400 if expected == "refused" else True
    assert struck.of("packed stitch", name).status in (200, 400, 413)


@pytest.mark.parametrize("door", ["http", "api"])
@pytest.mark.parametrize("name", http_talk.CASES)
def test_a_connection_is_answered_or_closed(struck: Struck, name: str, door: str) -> None:
    said, seconds = struck.talked[door, name]

    assert seconds < PATIENCE_S
    assert all(status < 500 for status in statuses(said))
    assert len(statuses(said)) <= max(1, http_talk.CASES[name].count(b" HTTP/"))


@pytest.mark.parametrize("name", http2_talk.CASES)
def test_a_grpc_connection_is_answered_or_closed(struck: Struck, name: str) -> None:
    _, seconds = struck.talked["grpc", name]

    assert seconds < PATIENCE_S


@pytest.mark.parametrize("name", ASKED)
def test_a_question_is_answered_or_refused(struck: Struck, name: str) -> None:
    outcome = struck.of("api", name)

    assert not controls(outcome.text)
    if outcome.status >= 400 and ASKED[name].method != "HEAD":
        assert "\n" not in outcome.text
        assert len(outcome.text) < 2_000
    if ASKED[name].name.startswith("decision"):
        assert outcome.status >= 400


def test_nobody_else_noticed(struck: Struck) -> None:
    assert struck.honest == [200] * 6
    assert struck.ready == 200
    assert struck.smuggled == 404
    assert set(re.findall(r"^choreoscope_task_deaths_total.* (\S+)$", struck.deaths, re.MULTILINE)) == {"0.0"}
    assert struck.code == 0


def test_the_counters_add_up(struck: Struck) -> None:
    spans = struck.spans

    assert spans["received"] == spans["stored"] + spans["duplicate"] + spans["refused"]
    assert min(spans.values()) > 0


def test_the_log_is_short_and_harmless(struck: Struck) -> None:
    """A sender that could make us write a line for each request could fill the disk."""
    lines = struck.log.splitlines()

    assert "Traceback" not in struck.log
    assert "panicked" not in struck.log
    assert all(line.isprintable() for line in lines)
    assert all(line.startswith("choreoscope: ") for line in lines)
    assert max(lines.count(line) for line in lines) <= _PER_KIND
    assert len(lines) < 40


def controls(text: str) -> set[str]:
    """The characters in *text* that a terminal would obey; JSON escapes them."""
    return {sign for sign in text if unicodedata.category(sign) == "Cc" and sign != "\n"}


def test_every_case_is_here() -> None:
    """Guards the tables: two cases of one name would be one."""
    tables = (BODIES, packed_bodies.CASES, http_talk.CASES, http2_talk.CASES, ASKED)

    assert sum(map(len, tables)) > 400
    assert len(ASKED) == len(list(questions()))
