"""Is a step that not every flow takes watched as a share, and does none of its flows get stuck?"""

from collections.abc import Sequence

import numpy as np
import pytest

from collector.model.flows import State
from collector.store.clickhouse.connections import Database
from tests import documents as answers
from tests.chains import Link, chain
from tests.documents import Document
from tests.scenes import MS, Sent, Watch
from tests.test_live import findings

FILED = "gateway", "ClaimFiled"
CHECK = Link("intake", "ClaimFiled", "ClaimChecked")
AUDIT = Link("audit", "ClaimChecked", "ClaimAudited")
PAY = Link("pay", "ClaimChecked", "ClaimPaid")
REFUSE = Link("pay", "ClaimChecked", "ClaimRefused")


class Claims:
    """Claims that take a branch by what is in them, a second each."""

    def __init__(self, database: Database, share: float, *usual: Link, other: Sequence[Link] = ()) -> None:
        self.watch = Watch(database)
        self._usual, self._other, self._share = usual, other, share
        self._rng, self._number = np.random.default_rng(3), 0

    def file(self, n: int, share: float | None = None) -> list[str]:
        """File *n* claims, ten at a time, of which *share* take the usual way; return their ids."""
        keys: list[str] = []
        for begin in range(0, n, 10):
            sent = [self._claim(share) for _ in range(min(10, n - begin))]
            self.watch.receive([one for _, spans in sent for one in spans], after_s=10)
            keys += [key for key, _ in sent]
        return keys

    def drops(self) -> Sequence[Document]:
        found: Sequence[Document] = answers.stuck(self.watch.snapshot)["drops"]
        return found

    def _claim(self, share: float | None) -> tuple[str, list[Sent]]:
        key, self._number = f"C-{self._number}", self._number + 1
        usual = self._rng.random() < (self._share if share is None else share)
        links = (CHECK, *(self._usual if usual else self._other))
        return key, chain(key, self.watch.now + self._number % 10 * 900 * MS, FILED, *links)


@pytest.fixture
def audited(database: Database) -> Claims:
    """97 % of the claims are audited, and all are paid."""
    claims = Claims(database, 0.97, AUDIT, PAY, other=(PAY,))
    claims.file(600)
    claims.watch.wait(60, every_s=5)
    return claims


def test_branch_that_97_percent_take_makes_nothing_stuck_for_ever(audited: Claims) -> None:
    """The other 3 % were stuck: 17 false alarms of 630."""
    audited.file(200)
    audited.watch.wait(60, every_s=5)

    assert findings(audited.watch, late=True) == []
    assert audited.drops() == []
    assert (audited.watch.snapshot.state == State.DONE).all()


def test_collapse_of_a_branch_is_one_finding_within_60_messages(audited: Claims) -> None:
    keys = audited.file(60, share=0)
    audited.watch.wait(60, every_s=5)

    (drop,) = [one for one in audited.drops() if one["kind"] == "take"]
    assert (drop["service"], drop["event_type"], drop["hits"]) == ("audit", "ClaimChecked", 0)
    assert drop["share"] == pytest.approx(0.97, abs=0.02)
    assert set(drop["flows"]) <= set(keys)
    assert findings(audited.watch) == []


def test_drop_is_over_once_the_branch_is_taken_as_usual(audited: Claims) -> None:
    audited.file(60, share=0)
    audited.file(90)
    audited.watch.wait(60, every_s=5)

    assert audited.drops() == []
    assert findings(audited.watch) == []


@pytest.fixture
def decided(database: Database) -> Claims:
    """Four of ten claims are paid, the others are refused, by the same service."""
    claims = Claims(database, 0.4, PAY, other=(REFUSE,))
    claims.file(600)
    claims.watch.wait(60, every_s=5)
    return claims


def test_variant_that_is_published_no_more_is_a_drop(decided: Claims) -> None:
    """Each claim gets an answer, so none is stuck; but all are refused since something broke."""
    assert decided.drops() == []
    decided.file(60, share=0)
    decided.watch.wait(60, every_s=5)

    drops = {(one["kind"], one["service"], one["missing"]) for one in decided.drops()}
    assert drops == {("publish", "pay", "ClaimPaid")}
    assert findings(decided.watch) == []


def test_event_after_which_flows_used_to_go_on_and_no_longer_do_is_a_drop(database: Database) -> None:
    """Never "Nothing is stuck." alone while an event ends far more flows than it used to."""
    claims = Claims(database, 0.6, PAY)
    claims.file(600)
    claims.file(60, share=0)
    claims.watch.wait(60, every_s=5)

    assert {(one["kind"], one["event_type"]) for one in claims.drops()} == {
        ("take", "ClaimChecked"),
        ("follow", "ClaimChecked"),
    }
    assert findings(claims.watch) == []
