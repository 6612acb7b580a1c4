"""A database and its connections: one writes, and a few read at the same time."""

import contextlib
import queue
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from clickhouse_connect.driver.binding import must_escape
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError
from clickhouse_connect.driver.summary import QuerySummary

from collector.store.clickhouse import landed
from collector.store.contracts import StoreError, TooMuchError

READERS = 4  # connections: one slow query must not hold up the next

# The settings of every connection.
SETTINGS = {
    "log_queries": 0,  # nobody reads the engine's query log
    "output_format_arrow_fixed_string_as_fixed_byte_array": 1,
    "output_format_arrow_low_cardinality_as_dictionary": 0,
}


# What stops a query: its time, its memory, or the size of its answer.
_STOPPED = {159, 160, 241, 396}
_CODE = re.compile(r"Code: (\d+)")

_FOREIGN = "Does a proxy answer in its place?"


class _ForeignError(Exception):
    """An answer that ClickHouse does not give."""


@dataclass(frozen=True)
class Limits:
    """What one query of a reader may cost: what many ask may not stop what is stored meanwhile."""

    seconds: float = 10
    memory: int = 384 * 1024 * 1024  # bytes, in the engine
    answer: int = 256 * 1024 * 1024  # bytes of its rows
    threads: int = 1  # the others are for ingest

    @property
    def settings(self) -> dict[str, Any]:
        """Them in ClickHouse's words."""
        return {
            "max_execution_time": self.seconds,
            "max_memory_usage": self.memory,
            "max_result_bytes": self.answer,
            "max_threads": self.threads,
        }


class Database:
    """A database. Its methods may be called from any thread; all raise `StoreError`.

    A write waits for other writes. A query waits only while all readers are busy.
    """

    def __init__(
        self,
        connect: Callable[[Mapping[str, Any]], Any],
        readers: int = READERS,
        *,
        over_http: bool = False,
        limits: Limits | None = None,
        folder: Path | None = None,
    ) -> None:
        """*connect* opens a connection whose queries have the settings that it is given.

        *limits* are those of each query; without, there are none. They are given to the connection: for a
        query that has settings of its own, chDB would change them before and after it, in ten statements.

        *folder* has a folder for each table, if the files are ours to look at.
        """
        self._connect = connect
        self._limits = limits.settings if limits else {}
        self._folder = folder
        self._short: list[tuple[str, str]] = []  # tables and parts that no query can read
        self._over_http = over_http  # what answers need not be ClickHouse
        self._writing: Any = None  # connections are opened on first use
        self._write_lock = threading.Lock()
        self._idle: queue.LifoQueue[Any] = queue.LifoQueue()  # last in, first out: its caches are warm
        for _ in range(readers):
            self._idle.put(None)
        self._readers = readers

    def execute(self, statement: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement that returns nothing; values go into placeholders, as in a query."""
        with self._writer() as writer, _failing_as_store_error("carry out a statement"):
            self._check_answered(writer.command(statement, parameters=_bound(parameters)))

    def insert(self, table: str, rows: pa.Table) -> None:
        """Append *rows*. If the table demands fsync, they are on disk when this returns."""
        with self._writer() as writer, _failing_as_store_error(f"insert into {table}"):
            if self._folder is None:
                self._check_answered(writer.insert_arrow(table, rows))
            else:
                self._insert_and_look(writer, table, rows, self._folder / table)

    def _insert_and_look(self, writer: Any, table: str, rows: pa.Table, files: Path) -> None:
        self._drop_short(writer)  # as long as one cannot be dropped, nothing is taken
        before = landed.parts(files)
        writer.insert_arrow(table, rows)
        try:
            landed.require_landed(files, before)
        except landed.ShortError as error:
            self._short.append((table, error.part))
            self._drop_short(writer)
            raise

    def _drop_short(self, writer: Any) -> None:
        while self._short:
            table, part = self._short[-1]
            writer.command(f"ALTER TABLE `{table}` DROP PART '{part}'")
            self._short.pop()

    def query(
        self, question: str, parameters: Mapping[str, Any] | None = None, columns: Sequence[str] = ()
    ) -> pa.Table:
        """Run a query, whose answer has at least these *columns*.

        Values go into `{name:Type}` placeholders of *question*, never into its text.
        """
        with self._reader() as reader, _failing_as_store_error("answer a query"):
            answer = reader.query_arrow(question, parameters=_bound(parameters), use_strings=True)
            if missing := [name for name in columns if name not in answer.column_names]:
                raise _ForeignError(f"the answer has no column {missing[0]}. {_FOREIGN}")
            return answer

    def close(self) -> None:
        """Close all connections, once the running queries are answered."""
        for _ in range(self._readers):
            if (reader := self._idle.get()) is not None:
                reader.close()
        with self._write_lock:
            if self._writing is not None:
                self._writing.close()

    def _check_answered(self, answer: object) -> None:
        """Raise unless *answer*, to a statement that returns nothing, names its query, as ClickHouse does.

        A proxy may answer for a server that never got the rows.
        """
        named = answer.query_id() if isinstance(answer, QuerySummary) else not answer
        if self._over_http and not named:
            raise _ForeignError(f"the answer does not come from ClickHouse. {_FOREIGN}")

    @contextmanager
    def _writer(self) -> Iterator[Any]:
        with self._write_lock:
            if self._writing is None:
                self._writing = self._connected({})
            try:
                yield self._writing
            except BaseException:
                _drop(self._writing)
                self._writing = None
                raise

    @contextmanager
    def _reader(self) -> Iterator[Any]:
        reader = self._idle.get()
        try:
            if reader is None:
                reader = self._connected(self._limits)
            yield reader
        except BaseException:
            _drop(reader)
            reader = None
            raise
        finally:
            self._idle.put(reader)

    def _connected(self, settings: Mapping[str, Any]) -> Any:
        with _failing_as_store_error("be reached"):
            try:
                return self._connect(settings)
            except OperationalError as error:  # the driver wraps network errors in several others
                raise _first_of(error) from error


class _Text(str):
    """A text that the driver escapes as a whole: one character at a time, 20,000 ids take it 40 ms."""

    __slots__ = ()

    def __iter__(self) -> Iterator[str]:
        return iter((self.translate(_ESCAPES),))


_ESCAPES = str.maketrans({sign: f"\\{sign}" for sign in must_escape})


def _bound(parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    named = dict(parameters or {})
    return {name: _Text(value) if isinstance(value, str) else value for name, value in named.items()}


def _drop(connection: Any) -> None:
    """Close *connection*, over which something failed.

    Of an answer that broke off, chDB keeps the beginning, and puts it before the next answer.
    """
    if connection is not None:
        with contextlib.suppress(ClickHouseError, OSError):
            connection.close()


def _first_of(error: BaseException) -> BaseException:
    """The root of *error* if that is a network error, otherwise *error*."""
    first = error
    while (earlier := first.__cause__ or first.__context__) is not None:
        first = earlier
    return first if isinstance(first, OSError) else error


@contextmanager
def _failing_as_store_error(what: str) -> Iterator[None]:
    try:
        yield
    except (ClickHouseError, OSError, pa.ArrowException, _ForeignError, landed.ShortError) as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        if (code := _CODE.search(first_line)) and int(code[1]) in _STOPPED:
            raise TooMuchError(
                "The store stopped a query that took too long or too much memory: ask for less"
                f" ({first_line[:120]})."
            ) from error
        raise StoreError(f"The store could not {what}: {first_line[:300]}") from error
