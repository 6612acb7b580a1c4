"""Does a filter match a subject?"""

_ANY = "*"
_REST = ">"


def matches(pattern: str, subject: str) -> bool:
    """Whether *pattern* (with ``*`` and ``>``) matches *subject*."""
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
