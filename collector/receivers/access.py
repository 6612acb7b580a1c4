"""Who may send: whoever shows the token, or anybody when there is none."""

from hmac import compare_digest


def allowed(authorization: str | None, token: str) -> bool:
    """Whether the value of an Authorization header shows *token*. An empty token allows everybody."""
    if not token:
        return True
    scheme, _, shown = (authorization or "").partition(" ")
    # In constant time: how long this takes must not tell how much of the token was right.
    return scheme.lower() == "bearer" and compare_digest(shown.strip().encode(), token.encode())
