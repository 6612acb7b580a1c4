"""Does a filter with wildcards take a subject, as NATS has it? A name without wildcards takes itself."""

from functools import lru_cache


@lru_cache(maxsize=4096)
def takes(pattern: str, subject: str) -> bool:
    """Whether *pattern* (`*` is one token, a last `>` is one or more) takes the literal *subject*."""
    if pattern == subject:
        return True
    if "*" not in pattern and ">" not in pattern:
        return False
    wanted, given = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        wanted.pop()
        if len(given) <= len(wanted):
            return False
        given = given[: len(wanted)]
    return len(wanted) == len(given) and all(
        one in {"*", token} for one, token in zip(wanted, given, strict=True)
    )


def overlap(one: str, other: str) -> bool:
    """Whether some subject is taken by both filters."""
    first, second = one.split("."), other.split(".")
    for place in range(min(len(first), len(second))):
        if ">" in {first[place], second[place]}:
            return True
        if first[place] != second[place] and "*" not in {first[place], second[place]}:
            return False
    return len(first) == len(second)


def meets(pattern: str, subject: str) -> bool:
    """Whether *pattern* takes *subject*, or, of a subject that is a template itself, some of it."""
    if takes(pattern, subject):
        return True
    return ("*" in subject or ">" in subject) and overlap(pattern, subject)
