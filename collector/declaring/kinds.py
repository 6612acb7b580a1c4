"""Which kinds of values are in a file? Each says how it is read, and how JSON Schema describes it."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from collector.config import shown
from collector.declaring import bounded_yaml as tree
from collector.declaring.mistakes import Mistakes, quotable

_LONGEST = 200  # characters: longer names are cut wherever spans are counted
_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"^[1-9][0-9]{0,9}(ms|s|m|h|d)$")
_MOST_DAYS = 366
# Without a user before the host: no link shows a password, or begins with the name of another site.
_ADDRESS = re.compile(r"^https?://[^\s\"<>\\^`{|}/?#@]+([/?#][^\s\"<>\\^`{|}]*)?$")

Schema = dict[str, Any]


class UnfitError(Exception):
    """A value that its kind does not take; the text is what to do about it, if that needs a word."""


@dataclass(frozen=True)
class Kind(ABC):
    """What may be written at one place."""

    expected: str  # completes "expected ...", with an example

    def read(self, node: tree.Node, key: str, mistakes: Mistakes) -> Any:
        """The value of *node*, which is at *key*; None if it cannot be used, which is then a mistake."""
        if isinstance(node, tree.Refused):
            return None
        try:
            return self._read(node, key, mistakes)
        except UnfitError as advice:
            told = f"{key} is {_told(node)}: expected {self.expected}. {advice}"
            mistakes.add(node.line, told.rstrip())
        return None

    def schema(self, means: str = "") -> Schema:
        """How JSON Schema says what is accepted; *means* is for the people who read it."""
        return self._schema() | ({"description": means} if means else {})

    @abstractmethod
    def _read(self, node: tree.Node, key: str, mistakes: Mistakes) -> Any:
        """Raise `UnfitError` if nothing of *node* can be used; parts of it may be mistakes."""

    @abstractmethod
    def _schema(self) -> Schema: ...


def _told(node: tree.Node) -> str:
    match node:
        case tree.Sequence(items=()):
            return "an empty list"
        case tree.Sequence(items=(_,)):
            return "a list with one entry"
        case tree.Sequence():
            return "a list"
        case tree.Mapping():
            return "a mapping"
        case tree.Scalar(text=""):
            return "empty"
        case tree.Scalar(text=text):
            return f"'{quotable(text)}'"
    return "refused"


@dataclass(frozen=True)
class Name(Kind):
    """A word of the user's system, or a short text."""

    def _read(self, node: tree.Node, key: str, mistakes: Mistakes) -> str | None:
        if not isinstance(node, tree.Scalar) or not node.text.strip() or node.kind == "null":
            raise UnfitError
        if node.kind != "str":  # another program that reads this file would see no text
            advice = f"YAML reads it as {node.kind}: put it in quotes, '{shown(node.text)}'."
            raise UnfitError(advice)
        if len(node.text) > _LONGEST:
            raise UnfitError(f"It has {len(node.text):,} characters, of {_LONGEST}.")
        if not node.text.isprintable() or node.text != node.text.strip():
            advice = "Leave out line breaks, invisible characters, and spaces around it."
            raise UnfitError(advice)
        return node.text

    def _schema(self) -> Schema:
        return {"type": "string", "minLength": 1, "maxLength": _LONGEST}


@dataclass(frozen=True)
class Names(Kind):
    """A list of at least *least* different names; if one is enough, it needs no list."""

    of: Name
    least: int = 1

    def _read(self, node: tree.Node, key: str, mistakes: Mistakes) -> tuple[str, ...] | None:
        if isinstance(node, tree.Scalar) and self.least < 2:
            if node.kind == "null":
                raise UnfitError
            name = self.of.read(node, key, mistakes)
            return None if name is None else (name,)
        if not isinstance(node, tree.Sequence) or len(node.items) < self.least:
            raise UnfitError
        found: dict[str, int] = {}
        for item in node.items:
            name = self.of.read(item, f"an entry of {key}", mistakes)
            if name in found:
                mistakes.add(item.line, f"'{name}' is twice in {key}: expected it once. Remove one.")
            elif name is not None:
                found[name] = item.line
        return tuple(found)

    def _schema(self) -> Schema:
        several = {"type": "array", "items": self.of.schema(), "minItems": self.least, "uniqueItems": True}
        return {"oneOf": [self.of.schema(), several]} if self.least < 2 else several


@dataclass(frozen=True)
class Duration(Kind):
    """How long something may take; read as milliseconds."""

    def _read(self, node: tree.Node, key: str, mistakes: Mistakes) -> float | None:
        written = node.text if isinstance(node, tree.Scalar) else ""
        if (found := _DURATION.fullmatch(written)) is None:
            raise UnfitError
        amount = int(written.removesuffix(found[1])) * _UNITS[found[1]]
        if amount > _MOST_DAYS * _UNITS["d"]:
            raise UnfitError(f"At most {_MOST_DAYS} days.")
        return float(amount)

    def _schema(self) -> Schema:
        return {"type": "string", "pattern": _DURATION.pattern}


@dataclass(frozen=True)
class Flag(Kind):
    """True or false, in the words that YAML 1.1 and 1.2 agree on."""

    def _read(self, node: tree.Node, key: str, mistakes: Mistakes) -> bool | None:
        if isinstance(node, tree.Scalar) and node.plain and node.text.lower() in {"true", "false"}:
            return node.text.lower() == "true"
        raise UnfitError

    def _schema(self) -> Schema:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Address(Kind):
    """A link that a page may show."""

    def _read(self, node: tree.Node, key: str, mistakes: Mistakes) -> str | None:
        written = node.text if isinstance(node, tree.Scalar) else ""
        if not _ADDRESS.fullmatch(written) or not written.isprintable() or len(written) > 10 * _LONGEST:
            raise UnfitError
        return written

    def _schema(self) -> Schema:
        return {"type": "string", "pattern": _ADDRESS.pattern, "maxLength": 10 * _LONGEST}
