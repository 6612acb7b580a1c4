"""Does the simulator do to its claims what its scenes say, and does it know when a verdict is wrong?"""

from random import Random

import pytest

from benchmarks.silence.claims import CLAIMS
from benchmarks.silence.exporting import export, exporters
from benchmarks.silence.faults import DOWN, Fault, Loss, Stop, Weather
from benchmarks.silence.happening import World
from benchmarks.silence.planned import Claim
from benchmarks.silence.playing import Seen
from benchmarks.silence.scoring import score
from collector.model.flows import State

ALL = {step.service for step in CLAIMS} | {"gateway"}


def world(weather: Weather, claims: int = 200, rate: float = 5.0) -> list[Claim]:
    """What happens to that many claims in *weather*."""
    made = World(Random(1), lambda _: CLAIMS, weather)
    for number in range(claims):
        made.file(number / rate)
    made.run()
    export(Random(2), made.claims, exporters(Random(3), ALL, skew=0.05), weather)
    return made.claims


def test_in_fair_weather_all_services_work_and_every_span_arrives() -> None:
    claims = world(Weather())

    assert {span.service for claim in claims for span in claim.spans} == ALL
    assert not any(claim.wrong or any(span.lost for span in claim.spans) for claim in claims)
    refused = [claim for claim in claims if "CoverageDenied" in {span.event for span in claim.spans}]
    assert 0 < len(refused) < 40


def test_claims_that_do_not_need_a_dead_service_are_healthy() -> None:
    claims = world(Weather([Fault("down", "ledger", DOWN, begin=20.0)]))

    wrong = [claim for claim in claims if claim.wrong]
    assert {one.service for claim in wrong for one in claim.wrong} == {"ledger"}
    assert min(one.at for claim in wrong for one in claim.wrong) > 19.9
    assert not any("CoverageDenied" in {span.event for span in claim.spans} for claim in wrong)


@pytest.mark.parametrize(("seconds", "least", "most"), [(2, 0.0, 0.0), (10, 0.2, 0.6), (600, 0.95, 0.99)])
def test_exporters_bridge_a_short_stop_of_the_collector_only(
    seconds: float, least: float, most: float
) -> None:
    """How much of what is sent in the stop is lost."""
    stop = Stop(30.0, 30.0 + seconds)
    claims = world(Weather(stops=[stop]), claims=int(5 * (60 + seconds)))
    sent = [s for claim in claims for s in claim.spans if stop.begin <= s.end < stop.end]
    lost = sum(span.missed for span in sent) / len(sent)

    assert least <= lost <= most
    assert not any(stop.begin <= s.arrives < stop.end for claim in claims for s in claim.spans if not s.lost)


def test_a_kill_loses_the_last_batch() -> None:
    claims = world(Weather([Fault("killed", "assessor", DOWN, begin=20.0)]))

    lost = [span for claim in claims for span in claim.spans if span.lost]
    assert {span.service for span in lost} == {"assessor"}
    assert all(14.0 < span.end < 20.0 for span in lost)


def test_what_follows_shows_that_a_lost_span_happened() -> None:
    claims = world(Weather(losses=[Loss(1.0, service="assessor")]))
    assert not any(claim.unseen() for claim in claims if len(claim.spans) > 15)

    claims = world(Weather(losses=[Loss(1.0, service="letters")]))
    assert any(claim.unseen() == {"letters"} for claim in claims)


def test_verdicts_are_compared_with_what_happened() -> None:
    weather = Weather([Fault("down", "ledger", DOWN, begin=20.0)])
    claims = world(weather)
    healthy = [claim.id for claim in claims if not claim.wrong]
    faulty = [claim.id for claim in claims if claim.wrong]
    seen = Seen(
        stuck=dict.fromkeys([healthy[0], *faulty[1:]], 60.0),
        final=dict.fromkeys(healthy + faulty[:1], int(State.DONE))
        | dict.fromkeys(faulty[1:], int(State.STUCK)),
    )

    total = score(claims, seen, {}, weather)

    assert (total.healthy, total.false) == (len(healthy), 1)
    assert (total.faults, total.found, total.done, total.right) == (len(faulty), len(faulty) - 1, 1, 0)
    assert all(wait > 0 for wait in total.waits)
