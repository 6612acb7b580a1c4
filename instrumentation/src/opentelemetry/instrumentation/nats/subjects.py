"""Which subjects carry the host's own messages, and which filter one falls under."""

_ANY = "*"
_REST = ">"


def is_internal(subject: str, inbox_prefix: str = "_INBOX") -> bool:
    """Whether *subject* belongs to the broker or to a client's plumbing.

    Everything that begins with ``$`` is reserved by NATS: ``$JS.`` (API calls
    and acknowledgements), ``$SYS.``, ``$SRV.``, and the key-value and object
    stores' ``$KV.`` and ``$O.``. An inbox is where one reply goes.
    """
    return subject.startswith(("$", inbox_prefix + ".", "_INBOX."))


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
