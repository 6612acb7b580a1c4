"""One engine for all tests, because a process can have only one; each test that stores takes a database."""

import contextlib
from collections.abc import Iterator
from itertools import count

import pytest

from collector.store import Database, Engine

_numbers = count()


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
