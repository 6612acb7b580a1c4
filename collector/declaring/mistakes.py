"""What is wrong with a file of declared expectations? Each mistake with its line, told as one line."""

from dataclasses import dataclass

from collector.config import shown

_TOLD = 20  # of all mistakes: who has corrected these reads the file again


@dataclass(frozen=True, order=True)
class Mistake:
    """What is wrong, what was expected, and what to do; *line* counts from 1, 0 stands for the whole file."""

    line: int
    text: str  # one sentence or more


class DeclarationError(Exception):
    """A file that cannot be used. Its text is one line, and tells the first mistakes."""

    def __init__(self, file: str, mistakes: tuple[Mistake, ...]) -> None:
        self.mistakes = tuple(sorted(mistakes))
        first, *others = self.mistakes[:_TOLD]
        told = [f"{_visible(file)}, line {first.line}: " if first.line else f"{_visible(file)}: "]
        told[0] += first.text
        told += [f"Line {one.line}: {one.text}" for one in others]
        if more := len(self.mistakes) - len(told):
            told.append(f"And {more:,} more.")
        super().__init__(" ".join(told))


class Mistakes:
    """Collects what is wrong with *file*, so that all of it is told at once."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._found: list[Mistake] = []

    @property
    def many(self) -> bool:
        """Whether more than can be told were found: spend no time on how to say the next one."""
        return len(self._found) >= _TOLD

    @property
    def found(self) -> bool:
        """Whether there are any."""
        return bool(self._found)

    def add(self, line: int, text: str) -> None:
        """Take note of a mistake; see `Mistake`."""
        self._found.append(Mistake(line, text))

    def check(self) -> None:
        """Raise `DeclarationError` if there are any."""
        if self._found:
            raise DeclarationError(self._file, tuple(self._found))


def quotable(text: str) -> str:
    """*text* as part of one line: cut if it is long, and without characters that cannot be seen."""
    return _visible(shown(text))


def _visible(text: str) -> str:
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
