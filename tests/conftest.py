"""Which setup do all tests share? How they are distributed over processes, and the embedded engine.

A process can have only one engine, so all its tests share it; each test that stores something gets its own
database.
"""

import contextlib
import gc
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from weakref import WeakKeyDictionary

import pytest
from hypothesis import settings
from xdist.remote import Producer

from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.embedded import Engine
from collector.store.clickhouse.migrations import migrate, there
from collector.store.clickhouse.opening import stores_over
from collector.store.contracts import Stores
from tests.distributing import Groups
from tests.scenes import Watch

_numbers = count()

# A deadline would only measure how busy the machine is.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Columns hold no references, so there is little to collect: looking less often saves a twentieth of the time.
gc.set_threshold(20_000)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Groups | None:
    """Distribute whole groups of tests over the processes."""
    return Groups(config, log) if config.getvalue("dist") == "loadgroup" else None


class Engines:
    """The engine of this process, on its own folder. A test may close it to open another one elsewhere."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: Engine | None = None

    def on_folder(self) -> Engine:
        """Return the engine; open it first if it is closed."""
        if self._open is None:
            self._open = Engine(self._folder, memory_limit=512 * 1024 * 1024)
        return self._open

    def close(self) -> None:
        """Close the engine if it is open."""
        if self._open is not None:
            self._open.close()
        self._open = None


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    engines = Engines(tmp_path_factory.mktemp("data"))
    yield engines
    engines.close()


@pytest.fixture
def engine(engines: Engines) -> Engine:
    """The embedded ClickHouse."""
    return engines.on_folder()


@pytest.fixture
def database(engine: Engine) -> Iterator[Database]:
    """An empty database."""
    with new_database(engine) as database:
        yield database


@pytest.fixture
def watch(database: Database) -> Watch:
    """A live part that has learned how the shop behaves."""
    watch = Watch(database)
    watch.learn()
    return watch


@pytest.fixture
def sure(database: Database) -> Watch:
    """One that has learned so much that even a single message that is passed over means something."""
    watch = Watch(database)
    watch.learn(orders=220)
    return watch


@pytest.fixture(scope="module")
def module_database(engines: Engines) -> Iterator[Database]:
    """A database that the tests of a module share."""
    with new_database(engines.on_folder()) as database:
        yield database


@contextlib.contextmanager
def new_database(engine: Engine, *, own: bool = False) -> Iterator[Database]:
    """An empty database, for as long as the context lasts.

    One of its *own* is for a test that changes settings of tables, or looks into their folders: parts that
    another test left may still be there for a while.
    """
    with _lent(engine, own=own) as lent:
        yield lent()


@contextlib.contextmanager
def new_stores(engine: Engine) -> Iterator[Callable[[], Stores]]:
    """A function that opens stores on one new database, over new connections at each call."""
    with _lent(engine) as lent:
        yield lambda: stores_over(lent())


# Most tests fill two or three of a dozen tables. A table without parts is empty; a view has none (NULL).
_FILLED = "SELECT name FROM system.tables WHERE database = currentDatabase() AND active_parts > 0"

_spare: WeakKeyDictionary[Engine, list[tuple[str, frozenset[str]]]] = WeakKeyDictionary()


@contextlib.contextmanager
def _lent(engine: Engine, *, own: bool = False) -> Iterator[Callable[[], Database]]:
    """A function that opens an empty database, which is lent to one test after another.

    To empty it takes a tenth of making it. It is dropped instead if its test failed, or changed its tables.
    """
    spare = _spare.setdefault(engine, [])
    name, tables = spare.pop() if spare and not own else _made(engine)
    opened: list[Database] = []
    whole = False

    def open_it() -> Database:
        opened.append(engine.database(name))
        return opened[-1]

    try:
        yield open_it
        # By the connections that the test had: new ones take longer than emptying it.
        whole = not own and emptied(opened[-1] if opened else open_it(), tables)
    finally:
        for one in opened:
            one.close()
        if whole:
            spare.append((name, tables))
        else:
            engine.drop(name)


def _made(engine: Engine) -> tuple[str, frozenset[str]]:
    """The name of a new database, and its tables and columns."""
    name = f"test_{next(_numbers)}"
    with contextlib.closing(engine.database(name)) as database:
        migrate(database)
        return name, there(database)


def emptied(database: Database, tables: frozenset[str]) -> bool:
    """Empty a database; return whether it has the *tables* of a new one, and their columns."""
    if there(database) != tables:
        return False
    database.execute("SYSTEM START MERGES")  # a test may have stopped them
    for table in database.query(_FILLED)["name"].to_pylist():
        database.execute(f"TRUNCATE TABLE `{table}`")
    return True
