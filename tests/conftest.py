"""What all tests share: how they are dealt out to processes, and the engine.

A process can have one engine only, so all tests of a process share it; each that stores takes a database.
"""

import contextlib
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings

from collector.store import Database, Engine
from tests.scenes import Watch

_numbers = count()

# How long an example takes says how busy the machine is.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.hookimpl(tryfirst=True)  # before xdist looks for the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file stay together, as they share what they started; so do those of the dashboard."""
    pages = Path(__file__).parent / "dashboard"
    for item in items:
        together = pages if pages in item.path.parents else item.path
        item.add_marker(pytest.mark.xdist_group(str(together)))


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The embedded ClickHouse, on a folder of its own."""
    engine = Engine(tmp_path_factory.mktemp("data"), memory_limit=512 * 1024 * 1024)
    yield engine
    engine.close()


@pytest.fixture
def database(engine: Engine) -> Iterator[Database]:
    """A database with nothing in it."""
    with new_database(engine) as database:
        yield database


@pytest.fixture
def watch(database: Database) -> Watch:
    """A live part that knows the shop."""
    watch = Watch(database)
    watch.learn()
    return watch


@pytest.fixture(scope="module")
def module_database(engine: Engine) -> Iterator[Database]:
    """A database that the tests of a module share."""
    with new_database(engine) as database:
        yield database


@contextlib.contextmanager
def new_database(engine: Engine) -> Iterator[Database]:
    """A database with nothing in it, for as long as the context lasts."""
    name = f"test_{next(_numbers)}"
    database = engine.database(name)
    yield database
    database.close()
    engine.drop(name)
