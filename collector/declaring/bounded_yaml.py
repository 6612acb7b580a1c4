"""Which lists and mappings are in a YAML file, and in which line is each? Bounded, and only plain values.

It reads the parser's events and never constructs objects: no tag can make anything but text. Aliases are
refused, because a few of them can stand for billions of values.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml
from yaml.resolver import Resolver

from collector.declaring.mistakes import Mistakes, quotable

MOST_BYTES = 1024 * 1024  # a hundred times what a system of a hundred services needs
_MOST_VALUES = 50_000
_DEEPEST = 8  # twice what the file can use

# In C where the wheel has it. Only its events are used: its own composer calls itself for each level.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Scalar:
    """A single value, as it is written."""

    line: int
    text: str
    plain: bool  # without quotes

    @property
    def kind(self) -> str:
        """What YAML takes it for: `str`, `int`, `float`, `bool`, `null`, `timestamp`, ..."""
        if not self.plain or len(self.text) > _LONG:
            return "str"
        tag: str = Resolver().resolve(yaml.ScalarNode, self.text, (True, False))  # type: ignore[no-untyped-call]
        return tag.rpartition(":")[2]


@dataclass(frozen=True)
class Sequence:
    """A list."""

    line: int
    items: tuple["Node", ...]


@dataclass(frozen=True)
class Mapping:
    """Keys and their values, in the order of the file; a key may be there twice."""

    line: int
    entries: tuple[tuple[Scalar, "Node"], ...]


@dataclass(frozen=True)
class Refused:
    """A value whose mistake is already noted."""

    line: int


Node: TypeAlias = Scalar | Sequence | Mapping | Refused
_LONG = 400  # no number or date is longer


class _TooMuch(Exception):  # noqa: N818 -- it is caught here
    """The rest of the file is not worth reading; the mistake is noted."""


def parse(data: bytes, mistakes: Mistakes) -> Node | None:
    """The only document of *data*; None if nothing can be told about it beyond the mistakes noted."""
    if (text := _decoded(data, mistakes)) is None:
        return None
    events: Any = yaml.parse(text, Loader=_LOADER)
    try:
        return _Reading(events, mistakes).document()
    except yaml.MarkedYAMLError as error:
        _note_syntax(error, text, mistakes)
    except (yaml.YAMLError, ValueError) as error:  # such as an escape beyond Unicode, where C is not there
        mistakes.add(0, f"not YAML ({quotable(str(error))}): expected 'key: value'. Check escapes in quotes.")
    except _TooMuch:
        pass
    finally:
        events.close()
    return None


def _decoded(data: bytes, mistakes: Mistakes) -> str | None:
    if len(data) > MOST_BYTES:
        mistakes.add(
            0, f"it is larger than {MOST_BYTES:,} bytes: expected less. Leave out what is learned anyway."
        )
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before, byte = error.object[: error.start], error.object[error.start]
        text = f"the byte 0x{byte:02x} is not UTF-8: expected UTF-8. Save the file as such."
        mistakes.add(before.count(b"\n") + 1, text)
        return None
    if found := _UNREADABLE.search(text):
        line = text.count("\n", 0, found.start()) + 1
        mistakes.add(line, f"the character U+{ord(found[0]):04X} is not text: expected YAML. Remove it.")
        return None
    return text


def _note_syntax(error: yaml.MarkedYAMLError, text: str, mistakes: Mistakes) -> None:
    problem = error.problem or "it cannot be parsed"
    mark: Any = error.problem_mark or error.context_mark
    if error.context_mark and "unexpected end" in problem:
        mark = error.context_mark  # a quote that is never closed: where it was opened
    lines = text.splitlines()
    place = min(mark.line if mark else 0, max(len(lines) - 1, 0))
    written = quotable(lines[place].strip()) if lines else ""
    mistakes.add(
        place + 1,
        f"'{written}' is not YAML ({quotable(problem)}): expected 'key: value' or '- value'."
        " Check indentation, quotes and brackets there.",
    )


def _line(event: Any) -> int:
    line: int = event.start_mark.line
    return line + 1


class _Reading:
    """One pass over the events of a file."""

    def __init__(self, events: Iterator[Any], mistakes: Mistakes) -> None:
        self._events = events
        self._mistakes = mistakes
        self._values = 0

    def document(self) -> Node | None:
        """The only document; None if there is none."""
        found: Node | None = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if found is not None:
                    text = "a second document begins here: expected one. Remove the line '---'."
                    self._mistakes.add(_line(event), text)
                    break
                found = self._node(next(self._events), 1)
        return found

    def _node(self, event: Any, depth: int) -> Node:
        line = _line(event)
        self._values += 1
        if self._values > _MOST_VALUES:
            self._refuse(
                line, f"more than {_MOST_VALUES:,} values so far: expected less. Declare what matters most."
            )
            raise _TooMuch
        if depth > _DEEPEST:
            self._refuse(
                line, f"nested in more than {_DEEPEST} levels: expected at most 4. Check the indentation."
            )
            raise _TooMuch
        if isinstance(event, yaml.AliasEvent):
            return self._refuse(
                line,
                f"'*{quotable(str(event.anchor))}' is an alias: expected the value itself. Write it out.",
            )
        tag = None if event.tag is None else quotable(event.tag.replace("tag:yaml.org,2002:", "!!"))
        node = self._plain(event, line, depth)
        if tag is not None:
            return self._refuse(
                line, f"the tag '{tag}' has no meaning here: expected the bare value. Remove it."
            )
        return node

    def _plain(self, event: Any, line: int, depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(line, event.value, plain=not event.style)
        inside = []
        while not isinstance(event := next(self._events), yaml.CollectionEndEvent):
            inside.append(self._node(event, depth + 1))
        if isinstance(event, yaml.SequenceEndEvent):
            return Sequence(line, tuple(inside))
        entries = []
        for key, value in zip(inside[::2], inside[1::2], strict=True):
            if isinstance(key, Scalar):
                entries.append((key, value))
            elif not isinstance(key, Refused):
                self._refuse(key.line, "a list or a mapping is a key: expected a name. Write a single word.")
        return Mapping(line, tuple(entries))

    def _refuse(self, line: int, text: str) -> Refused:
        self._mistakes.add(line, text)
        return Refused(line)
