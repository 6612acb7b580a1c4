"""How a command says that it can not."""


class CommandError(Exception):
    """One line for the user, and the exit code: 1 what was asked for is not so, 2 bad input."""

    def __init__(self, text: str, code: int = 2) -> None:
        super().__init__(text)
        self.code = code
