"""Which mappings and lists may hold the values? As `kinds`, with what each key means."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from collector.config import shown
from collector.declaring import bounded_yaml as tree
from collector.declaring.kinds import Kind, Name, Schema, UnfitError
from collector.declaring.mistakes import Mistakes, quotable


@dataclass(frozen=True)
class Fields:
    """What was read of a mapping: the values that can be used, and the line of each."""

    line: int
    values: Mapping[str, Any]
    lines: Mapping[str, int]

    def get(self, key: str, default: Any = None) -> Any:
        """The value at *key*; *default* if it is absent or could not be used."""
        return self.values.get(key, default)


@dataclass(frozen=True)
class Key:
    """A key that a mapping may have."""

    kind: Kind
    means: str  # one sentence, for those who write the file in an editor that knows the schema
    required: bool = False


@dataclass(frozen=True)
class Record(Kind):
    """A mapping with known keys."""

    what: str  # "a reaction"
    keys: Mapping[str, Key] = field(default_factory=dict)

    def _read(self, node: tree.Node, key: str, mistakes: Mistakes) -> Fields | None:
        if not isinstance(node, tree.Mapping):
            raise UnfitError
        values, lines = {}, {}
        for name, value in _distinct(node, mistakes):
            if name.text not in self.keys:
                mistakes.add(name.line, self._unknown(name.text, compare=not mistakes.many))
                continue
            lines[name.text] = name.line
            if (read := self.keys[name.text].kind.read(value, name.text, mistakes)) is not None:
                values[name.text] = read
        for absent in (one for one, its in self.keys.items() if its.required and one not in lines):
            expected = self.keys[absent].kind.expected
            mistakes.add(
                node.line, f"{self.what} has no '{absent}': expected {expected}. Add '{absent}: ...'."
            )
        return Fields(node.line, values, lines)

    def _unknown(self, name: str, *, compare: bool) -> str:
        near = get_close_matches(shown(name), self.keys, n=1) if compare else []
        advice = f"Did you mean '{near[0]}'?" if near else "Correct or remove it."
        return f"'{quotable(name)}' is no key of {self.what}: expected {_either(self.keys)}. {advice}"

    def _schema(self) -> Schema:
        described = {name: key.kind.schema(key.means) for name, key in self.keys.items()}
        required = [name for name, key in self.keys.items() if key.required]
        found: Schema = {"type": "object", "properties": described, "additionalProperties": False}
        return found | ({"required": required} if required else {})


@dataclass(frozen=True)
class ListOf(Kind):
    """A list of records."""

    of: Record

    def _read(self, node: tree.Node, key: str, mistakes: Mistakes) -> tuple[Fields, ...] | None:
        if not isinstance(node, tree.Sequence):
            raise UnfitError
        read = (self.of.read(item, f"an entry of {key}", mistakes) for item in node.items)
        return tuple(fields for fields in read if fields is not None)

    def _schema(self) -> Schema:
        return {"type": "array", "items": self.of.schema()}


@dataclass(frozen=True)
class ByName(Kind):
    """A mapping from names to records."""

    name: Name
    of: Record

    def _read(self, node: tree.Node, key: str, mistakes: Mistakes) -> dict[str, Fields] | None:
        if not isinstance(node, tree.Mapping):
            raise UnfitError
        found = {}
        for written, value in _distinct(node, mistakes):
            name = self.name.read(written, f"a key of {key}", mistakes)
            fields = self.of.read(value, quotable(written.text), mistakes)
            if name is not None and fields is not None:
                found[name] = fields
        return found

    def _schema(self) -> Schema:
        names = {key: value for key, value in self.name.schema().items() if key != "type"}
        return {"type": "object", "propertyNames": names, "additionalProperties": self.of.schema()}


def _distinct(node: tree.Mapping, mistakes: Mistakes) -> Iterator[tuple[tree.Scalar, tree.Node]]:
    """The entries of *node* without those whose key was there before."""
    before: dict[str, int] = {}
    for key, value in node.entries:
        if key.text in before:
            first = before[key.text]
            mistakes.add(
                key.line,
                f"'{quotable(key.text)}' is there already, in line {first}: expected it once. Remove one.",
            )
        else:
            before[key.text] = key.line
            yield key, value


def _either(names: Mapping[str, Any]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last
