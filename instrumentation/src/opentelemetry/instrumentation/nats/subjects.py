"""Which filter does a subject fall under?"""

_ANY = "*"
_REST = ">"


def matches(pattern: str, subject: str) -> bool:
    """Whether *subject* is one of those that *pattern* (with ``*`` and ``>``) stands for."""
    if pattern == subject:
        return True
    wanted = pattern.split(".")
    tokens = subject.split(".")
    for position, token in enumerate(wanted):
        if token == _REST:
            return len(tokens) > position
        if position >= len(tokens) or token not in (_ANY, tokens[position]):
            return False
    return len(tokens) == len(wanted)
