"""Who shows which token, and what may they do? Tokens are one setting, or a file of names and roles."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from hmac import compare_digest
from pathlib import Path

from collector.config import TOKEN_LEAST, Config, ConfigError, variable
from collector.web.renewing import Renewed, secret_text

_MOST_TOKENS = 256  # each one is compared with, so that the time taken says nothing
_MOST_BYTES = 64 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")
_HASHED = re.compile(r"sha256:[0-9a-fA-F]{64}")
_FORM = "expected 'role name token', such as 'read grafana sha256:<64 hex digits>'"


class Role(StrEnum):
    """What a token is for."""

    SEND = "send"
    READ = "read"
    DECIDE = "decide"


_INCLUDED = {
    Role.SEND: frozenset({Role.SEND}),
    Role.READ: frozenset({Role.READ}),
    Role.DECIDE: frozenset({Role.READ, Role.DECIDE}),
}
_DOES = {Role.SEND: "sends spans", Role.READ: "asks questions", Role.DECIDE: "decides"}


@dataclass(frozen=True)
class Caller:
    """Who asks: the *name* of their token, "" if nobody gave it one, and what they may do."""

    name: str
    roles: frozenset[Role]


ANYBODY = Caller("", frozenset(Role))


class AccessError(Exception):
    """A request that is not let in: 401 for a token that is not known, 403 for one of another role."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Keyring:
    """Tokens and their callers. It keeps hashes only: what is not there is in no core dump."""

    def __init__(self, callers: Iterable[tuple[bytes, Caller]]) -> None:
        self._callers = tuple(callers)

    def find(self, token: str) -> Caller | None:
        """Whose *token* it is; None if nobody's. It takes the same time whichever it is."""
        shown, found = digest(token), None
        for kept, caller in self._callers:
            if compare_digest(shown, kept):
                found = caller
        return found


def digest(token: str) -> bytes:
    """SHA-256 of *token*: tokens are long and random, so that a slow hash would add nothing."""
    return hashlib.sha256(token.encode()).digest()


class Access:
    """Who may do what at present. Without any token, everybody may do everything."""

    def __init__(self, token: str = "", file: Renewed[Keyring] | None = None) -> None:
        self._own = Keyring([(digest(token), ANYBODY)] if token else [])
        self.file = file
        self._open = not token and file is None

    @classmethod
    def of(cls, config: Config) -> "Access":
        """The access that *config* describes; raise `ConfigError` if its file of tokens cannot be used."""
        path = config.tokens
        name = f"The file of {variable('tokens')}"
        return cls(config.token, Renewed(name, [Path(path)], lambda: load(Path(path))) if path else None)

    def admit(self, authorization: str | None, role: Role) -> Caller:
        """Who shows the header *authorization*; raise `AccessError` unless they have *role*."""
        if self._open:
            return ANYBODY
        scheme, _, shown = (authorization or "").partition(" ")
        token = shown.strip() if scheme.lower() == "bearer" else ""
        caller = self._own.find(token)
        if caller is None and self.file is not None:
            caller = self.file.current().find(token)
        if caller is None:
            said = "Authorization is missing or wrong: expected 'Bearer' and a token of this collector."
            raise AccessError(401, said)
        if role not in caller.roles:
            has = ", ".join(sorted(caller.roles))
            raise AccessError(
                403,
                f"The token '{caller.name}' has the role {has}: expected one of the role '{role}',"
                f" which {_DOES[role]}.",
            )
        return caller


def load(path: Path) -> Keyring:
    """The tokens in the file at *path*; raise `ConfigError`, which never shows a token."""
    name = variable("tokens")
    data = secret_text(name, path, _MOST_BYTES)
    try:
        lines = data.decode().splitlines()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is '{path}', which is no UTF-8 text: {_FORM} on each line.") from error
    found: dict[bytes, Caller] = {}
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                hashed, caller = _entry(line.split())
                known = found.get(hashed, caller)
                if known.name != caller.name:
                    raise ValueError(
                        f"the token of '{caller.name}' is that of '{known.name}', too: expected another"
                    )
            except ValueError as error:
                raise ConfigError(f"{name} is '{path}', line {number}: {error}.") from error
            found[hashed] = Caller(caller.name, known.roles | caller.roles)
    if not 0 < len(found) <= _MOST_TOKENS:
        raise ConfigError(f"{name} is '{path}', which has {len(found)} tokens: expected 1 to {_MOST_TOKENS}.")
    return Keyring(found.items())


def _entry(words: list[str]) -> tuple[bytes, Caller]:
    if len(words) != 3:
        raise ValueError(f"it has {len(words)} words, {_FORM}")
    role, name, token = words
    if role not in _INCLUDED:
        # The first word may be a token that was put at the wrong place: it is not shown.
        raise ValueError(f"its first word is no role, expected {', '.join(_INCLUDED)}")
    if not _NAME.fullmatch(name):
        raise ValueError("its second word is no name, expected letters, digits and . _ @ + -, at most 100")
    if token.startswith("sha256:"):
        if not _HASHED.fullmatch(token):
            raise ValueError(f"the hash of '{name}' is no SHA-256, expected sha256: and 64 hex digits")
        hashed = bytes.fromhex(token.removeprefix("sha256:"))
    elif len(token) < TOKEN_LEAST or not (token.isascii() and token.isprintable()):
        raise ValueError(
            f"the token of '{name}' has {len(token)} characters,"
            f" expected at least {TOKEN_LEAST} of printable ASCII"
        )
    else:
        hashed = digest(token)
    return hashed, Caller(name, _INCLUDED[Role(role)])
