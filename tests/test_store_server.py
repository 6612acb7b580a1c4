"""Does ClickHouse over HTTP keep the promises of every store, and does a collector run on it?"""

import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import chdb
import pyarrow as pa
import pytest
from clickhouse_connect.driver._chdbclient import build_connection_string

from collector.config import Config
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.migrations import migrate, there
from collector.store.clickhouse.opening import stores_over
from collector.store.clickhouse.retention_store import ClickHouseRetention
from collector.store.clickhouse.server import Server, address
from collector.store.contracts import AddressError, OpenStore, Search, StoreError
from collector.store.open import open_store
from tests.collecting import Collector, until
from tests.conftest import Engines, emptied
from tests.factories import NOW, request, span, table
from tests.scenes import order
from tests.stores.contract import (
    FlowStoreContract,
    Opened,
    SpanStoreContract,
)
from tests.stores.decision_contract import DecisionStoreContract, decision
from tests.stores.deletion_contract import DeletionStoreContract
from tests.stores.dismissal_contract import DismissalStoreContract, dismissal, say
from tests.stores.fact_contract import FactStoreContract
from tests.stores.front import PASSWORD, Front
from tests.stores.retention_contract import RetentionStoreContract

_numbers = count()
NOWHERE = Path("nowhere")


@pytest.fixture(scope="module")
def front(engines: Engines) -> Iterator[Front]:
    """A server on the engine that the tests share."""
    engine = engines.on_folder()
    assert engine.folder is not None
    place = build_connection_string(str(engine.folder / "clickhouse"), engine.options)
    with Front(lambda: chdb.connect(place)).running() as front:  # type: ignore[no-untyped-call]
        yield front


Spare = list[tuple[str, Database, frozenset[str]]]


@pytest.fixture(scope="module")
def spare(front: Front) -> Iterator[Spare]:
    """Empty databases on the server, and what is in a new one: to make one takes a while."""
    spare: Spare = []
    yield spare
    for _, database, _ in spare:
        database.close()


@pytest.fixture
def on_server(front: Front, spare: Spare) -> Iterator[OpenStore]:
    """A store on an empty database of the server."""
    name = spare[-1][0] if spare else f"server_{next(_numbers)}"
    store = open_store(NOWHERE, 0, front.address(name))
    if not spare:
        database = Server(address(front.address(name))).database()
        spare.append((name, database, there(database)))
    _, database, tables = spare.pop()
    yield store
    store.close()
    if emptied(database, tables):
        spare.append((name, database, tables))
    else:
        database.close()


@pytest.fixture
def opened(on_server: OpenStore) -> Opened:
    return on_server.stores


class TestSpanStore(SpanStoreContract):
    """On a server."""


class TestFlowStore(FlowStoreContract):
    """On a server."""


class TestDecisionStore(DecisionStoreContract):
    """On a server."""


class TestFactStore(FactStoreContract):
    """On a server."""


class TestRetention(RetentionStoreContract):
    """On a server, whose disk is known by a query."""

    @pytest.fixture
    def clock(self) -> list[int]:
        return [NOW]

    @pytest.fixture
    def database(self, front: Front) -> Iterator[Database]:
        database = Server(address(front.address(f"server_{next(_numbers)}"))).database()
        migrate(database)
        yield database
        database.close()

    @pytest.fixture
    def opened(self, database: Database, clock: list[int]) -> Opened:
        return lambda: stores_over(database, lambda: clock[0])

    @pytest.fixture
    def retention(self, database: Database) -> ClickHouseRetention:
        return ClickHouseRetention(database, None)


class TestDismissalStore(DismissalStoreContract):
    """On a server."""


class TestDeletionStore(DeletionStoreContract):
    """On a server."""


def test_a_slow_question_holds_up_no_other(front: Front, on_server: OpenStore) -> None:
    spans = on_server.stores().spans
    front.slow, front.released = (lambda statement: "uniqExact" in statement), threading.Event()
    asking = threading.Thread(target=spans.span_count)
    asking.start()
    until(lambda: any("uniqExact" in statement for statement in front.statements))
    try:
        assert spans.ids_since(0, 1).num_rows == 0
        spans.write(table(request(span())))
        assert asking.is_alive()
    finally:
        front.slow = lambda statement: False
        front.released.set()
        asking.join()


def test_what_it_refuses_is_a_store_error_of_one_line(front: Front, on_server: OpenStore) -> None:
    with pytest.raises(StoreError, match=r"^The store could not .*") as refused:
        open_store(NOWHERE, 0, front.address("shop", password="wrong"))
    assert "\n" not in str(refused.value)
    assert "wrong" not in str(refused.value)


def test_a_server_that_is_not_there_is_a_store_error(front: Front) -> None:
    nobody = front.address("shop").replace(f":{front.port}/", ":9/")

    with pytest.raises(StoreError, match=r"^The store could not be reached"):
        open_store(NOWHERE, 0, nobody)


def of_another_query() -> bytes:
    out = pa.BufferOutputStream()
    rows = pa.table({"nobody": [1]})
    with pa.ipc.new_file(out, rows.schema) as file:
        file.write_table(rows)
    return bytes(out.getvalue())


@pytest.mark.parametrize("answer", [b"<html>Sign in</html>", b"", of_another_query()], ids=len)
def test_what_a_proxy_answers_is_a_store_error(front: Front, on_server: OpenStore, answer: bytes) -> None:
    """Rows that were never inserted would be acknowledged; a foreign answer would break a page, or a tick."""
    stores = on_server.stores()
    does: list[Callable[[], object]] = [
        lambda: stores.spans.write(table(request(span()))),
        lambda: stores.flows.refuse(["A-1"]),
        lambda: stores.flows.forget(["A-1"]),
        stores.spans.span_count,
        lambda: stores.spans.spans_since(0, 1),
        lambda: stores.spans.ids_since(0, 1),
        lambda: stores.spans.arrival_of_newest(1, 0),
        stores.flows.refused_keys,
        lambda: stores.flows.counts(Search()),
        lambda: stores.flows.found(Search(), 1),
        lambda: stores.flows.newest_names(1, 1),
        lambda: stores.flows.fetch(pa.array([b"t" * 16], pa.binary(16)), pa.array(["A-1"])),
        lambda: stores.flows.done_among(["A-1"], 0),
        lambda: stores.decisions.write(decision(NOW)),
        stores.decisions.all,
        lambda: say(stores.dismissals, dismissal(), "A-1"),
        stores.dismissals.said,
        stores.dismissals.standing,
        stores.dismissals.count,
        lambda: stores.dismissals.forget_gone(NOW),
    ]
    stores.spans.write(table(request(span())))
    assert stores.spans.span_count() == 1  # it is connected
    front.instead = answer
    try:
        for do in does:
            with pytest.raises(StoreError, match=r"^The store could not [^\n]*$"):
                do()
    finally:
        front.instead = None

    assert stores.spans.span_count() == 1
    assert stores.flows.refused_keys() == []
    assert stores.decisions.all() == []


def test_a_database_of_a_newer_version_is_refused(front: Front) -> None:
    place = front.address("newer")
    store = open_store(NOWHERE, 0, place)
    store.stores().flows.refuse([])
    store.close()
    engine = front.connect()
    engine.query("INSERT INTO newer.settings VALUES ('schema_version', '999', 9999999999999999999)")
    engine.close()

    with pytest.raises(StoreError, match=r"newer version .*999"):
        open_store(NOWHERE, 0, place)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("https://host/db", "begins with 'https://'"),
        ("host:8123/db", "it has no scheme"),
        ("host/db", "it has no scheme"),
        ("clickhouse://user:s3cret@/db", "names no host"),
        ("clickhouse:user:s3cret@host/db", "it has no scheme"),
        ("s3cret@host:8123/db", "it has no scheme"),
        ("clickhouse://user:s3cret@host:http/db", "its host and port are 'host:http': expected"),
        ("clickhouse://user:s3cret@host:0/db", "its host and port are 'host:0': expected"),
        ("clickhouse://user:s3cret@host:65536/db", "a number from 1 to 65,535"),
        ("clickhouse://user:s3cret@host:٣/db", "a number from 1 to 65,535"),
        ("clickhouse://user:s3cret/db", "its host and port cannot be read"),
        ("clickhouse://user:12345/s3cret@host/db", "must be percent-encoded .* '/' as %2F"),
        ("clickhouse://user:1234/s3cret-", "its database cannot be read"),
        ("clickhouse://user:s3cret#@host/db", "'#' as %23"),
        ("clickhouse://user:?s3cret@host/db", "'\\?' as %3F"),
        ("clickhouse://user:1@host/db?password=s3cret", "percent-encoded"),
        ("clickhouse://user:s3cret\n@host/db", "percent-encoded"),
        ("clickhouse://user:s3cret\udcff@host/db", "percent-encoded"),
        ("clickhouse://user:s3cret@host", "its database is ''"),
        ("clickhouse://user:s3cret@host/a`b", "its database is 'a`b'"),
    ],
)
def test_an_address_that_cannot_be_used_says_what_is_wrong_and_no_secret(text: str, wrong: str) -> None:
    with pytest.raises(AddressError, match=wrong) as refused:
        open_store(NOWHERE, 0, text)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("clickhouse://user:secret℀x@host/db", "clickhouse://user@host:8123/db"),
        ("clickhouse://user:s@e[c@host:1/db/", "clickhouse://user@host:1/db"),
        ("CLICKHOUSES://a%0Ab:p@[::1]/db", "clickhouses://a%0Ab@[::1]:8443/db"),
        ("clickhouse://host/db", "clickhouse://default@host:8123/db"),
    ],
)
def test_an_address_is_shown_in_one_line_without_its_password(text: str, shown: str) -> None:
    assert address(text).shown == shown


def test_an_address_has_all_its_parts() -> None:
    found = address("clickhouses://re%40der:s%2F1@host/shop")

    assert (found.interface, found.host, found.port, found.database) == ("https", "host", 8443, "shop")
    assert (found.user, found.password) == ("re@der", "s/1")
    assert "s/1" not in found.shown + repr(found) + repr(Config(store="clickhouse://u:s/1@h/d"))


def test_a_collector_keeps_what_it_takes_on_a_server(front: Front, tmp_path: Path) -> None:
    """A second collector answers the same questions after the first has ended."""
    place = front.address("collector")
    first = Collector(tmp_path, CHOREOSCOPE_STORE=place).start()
    try:
        first.send(order("A-1", 10**18))
        until(lambda: first.ask("/flows")["total"] == 1)
    finally:
        assert first.stop() == 0
    again = Collector(tmp_path, CHOREOSCOPE_STORE=place).start()
    try:
        until(lambda: again.ask("/flows")["total"] == 1)
        assert len(again.ask("/flows/A-1")["messages"]) == 5
    finally:
        assert again.stop() == 0

    said = (tmp_path / "collector.log").read_text()
    assert f"data in clickhouse://reader@127.0.0.1:{front.port}/collector" in said
    assert PASSWORD not in said
    assert not (tmp_path / "data").exists()
