"""The error by which a command tells the user that it failed."""


class CommandError(Exception):
    """One line for the user, and the exit code: 1 not found, refused or failed, 2 bad input."""

    def __init__(self, text: str, code: int = 2) -> None:
        super().__init__(text)
        self.code = code


class NoAnswerError(CommandError):
    """Nobody answers at the address of the API."""
