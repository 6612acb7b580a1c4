"""What a service must remember across restarts: small JSON documents in its own JetStream bucket."""

import json
from collections.abc import Callable
from typing import Any, Final

from nats.aio.client import Client
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from .settings import ANSWER_S

# Longer than anyone watches a demonstration, short enough for a small disk.
KEEP_S: Final = 6 * 3600

Document = dict[str, Any]


class State:
    """Documents by key; a change applies to the newest version or not at all."""

    def __init__(self, bucket: KeyValue) -> None:
        self._bucket = bucket

    @classmethod
    async def open(cls, client: Client, service: str) -> "State":
        """The bucket of *service*, created if it is missing."""
        stream = client.jetstream(timeout=ANSWER_S)
        bucket = await stream.create_key_value(bucket=f"shop-{service}", ttl=KEEP_S, direct=True)
        return cls(bucket)

    async def get(self, key: str) -> Document | None:
        """The document under *key*, or None."""
        return (await self._read(key))[0]

    async def add(self, key: str, document: Document) -> bool:
        """Store *document* under *key* unless there is one; return whether it was stored."""
        try:
            await self._bucket.create(key, json.dumps(document).encode())
        except KeyWrongLastSequenceError:
            return False
        return True

    async def change(self, key: str, change: Callable[[Document], Document]) -> Document:
        """Replace the document under *key* (an empty one at first) by what *change* makes of it.

        If another process was quicker, *change* is called again with what that
        process stored: of two that complete a document, one sees it complete.
        """
        while True:
            document, revision = await self._read(key)
            changed = change(dict(document or {}))
            if changed == document:
                return changed
            try:
                if revision is None:
                    await self._bucket.create(key, json.dumps(changed).encode())
                else:
                    await self._bucket.update(key, json.dumps(changed).encode(), last=revision)
            except KeyWrongLastSequenceError:
                continue
            return changed

    async def _read(self, key: str) -> tuple[Document | None, int | None]:
        try:
            entry = await self._bucket.get(key)
        except KeyNotFoundError:
            return None, None
        document: Document = json.loads(entry.value or b"{}")
        return document, entry.revision
