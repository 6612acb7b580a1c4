"""How risky is an order? A request and its reply on core NATS."""

import json
from typing import Final

from nats.aio.msg import Msg
from nats.errors import Error

from .consuming import drain
from .events import Event
from .shop import Shop

SUBJECT: Final = "score.order"
# After this time an order is cleared without a score.
ANSWER_S: Final = 1.0
RISKY: Final = 100


async def run(shop: Shop) -> None:
    """Answer until the shop stops; the processes of the service share the requests."""

    async def on_question(message: Msg) -> None:
        fault, question = shop.faults.fault, message.data.decode()
        await shop.faults.strike(question)
        await shop.work(1, 5)
        score = json.loads(question).get("total_cents", 0) % RISKY
        if fault is None or not fault.silences(question):
            await message.respond(json.dumps({"score": score}).encode())

    subscription = await shop.client.subscribe(SUBJECT, queue=shop.service, cb=on_question)
    await shop.stop.wait()
    await drain(subscription)


async def ask(event: Event, shop: Shop) -> int | None:
    """The score of the order in *event*, 0 to 99; None if nobody answers."""
    try:
        answer = await shop.client.request(SUBJECT, event.body(), timeout=ANSWER_S)
    except Error as error:
        shop.log.debug("no score: %s", error)
        return None
    score: int = json.loads(answer.data)["score"]
    return score
