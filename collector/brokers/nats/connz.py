"""Who is connected to NATS, and subscribed to what? Each server answers for its own connections."""

import msgspec

from collector.brokers.nats.jetstream import BROKER, nanoseconds
from collector.model.facts import FOREVER, Connection, Subscription

SUBJECT = "$SYS.REQ.ACCOUNT.PING.CONNZ"
PAGE = 512
MOST_CLOSED = 256  # closed connections of each server that are asked for, the latest
_MOST_SUBSCRIPTIONS = 1_000  # of one connection that are kept
_OPEN, _CLOSED = 0, 1
# Inboxes: nobody publishes facts there, and each request has one.
_PRIVATE = ("_INBOX.", "_INBOX", "$JS.", "$SRV.", "_R_.")


class _Sub(msgspec.Struct):
    subject: str = ""
    qgroup: str = ""


class _Client(msgspec.Struct):
    cid: int = 0
    name: str = ""
    start: str = ""
    stop: str = ""
    reason: str = ""
    pending_bytes: int = 0
    subscriptions_list_detail: list[_Sub] | None = None


class Data(msgspec.Struct):
    """What one server lists."""

    server_id: str = ""
    total: int = 0
    offset: int = 0
    limit: int = 0
    connections: list[_Client] | None = None


class _Error(msgspec.Struct):
    code: int = 0
    description: str = ""


class Answer(msgspec.Struct):
    """What one server says."""

    data: Data | None = None
    error: _Error | None = None


def question(*, closed: bool, offset: int = 0) -> bytes:
    """The body that asks for a page of open connections, or for those that closed last."""
    about = (
        {"state": _CLOSED, "sort": "stop", "limit": MOST_CLOSED}
        if closed
        else {"state": _OPEN, "limit": PAGE}
    )
    return msgspec.json.encode({"subscriptions_detail": True, "offset": offset, **about})


def connections_of(answer: Answer, as_of: int, valid_until: int) -> list[Connection]:
    """The connections that one server lists."""
    if answer.data is None:
        return []
    return [
        Connection(
            BROKER,
            str(one.cid),
            one.name,
            as_of,
            FOREVER if one.stop else valid_until,
            opened=nanoseconds(one.start),
            closed=nanoseconds(one.stop) if one.stop else None,
            reason=one.reason,
            subscriptions=tuple(
                Subscription(sub.subject, sub.qgroup, str(one.cid))
                for sub in (one.subscriptions_list_detail or ())[:_MOST_SUBSCRIPTIONS]
                if not sub.subject.startswith(_PRIVATE)
            ),
            server=answer.data.server_id,
            pending_bytes=one.pending_bytes,
        )
        for one in answer.data.connections or ()
    ]
