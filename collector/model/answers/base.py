"""What all answers have in common."""

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

StateWord: TypeAlias = Literal["running", "late", "stuck", "failed", "done"]


def says(what: str) -> Meta:
    """What a field means, where its name does not tell: for the OpenAPI page."""
    return Meta(description=what)


class Answer(Struct, frozen=True, kw_only=True):
    """Base of all answers: frozen, because one answer is given to many readers."""


class Note(Answer, frozen=True, kw_only=True):
    """A repair or a doubt."""

    kind: str
    ref: str | None
    text: str


class Error(Answer, frozen=True, kw_only=True):
    """What was wrong, what was expected, what to do."""

    error: str
    nearest: Annotated[
        list[str] | UnsetType, says("names that look like those asked for: keys of flows, or steps")
    ] = UNSET
