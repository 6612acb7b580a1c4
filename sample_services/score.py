"""How risky is an order? A question with an answer, asked and answered in core NATS."""

import json
from typing import Final

from nats.aio.msg import Msg
from nats.errors import Error

from .consuming import hear_out
from .events import Event
from .shop import Shop

SUBJECT: Final = "score.order"
# Without an answer by then an order is looked at without one.
ANSWER_S: Final = 1.0
RISKY: Final = 100


async def run(shop: Shop) -> None:
    """Answer until the shop stops; the processes that do so share the questions."""

    async def on_question(message: Msg) -> None:
        fault, question = shop.faults.fault, message.data.decode()
        await shop.faults.strike(question)
        await shop.work(1, 5)
        score = json.loads(question).get("total_cents", 0) % RISKY
        if fault is None or not fault.silences(question):
            await message.respond(json.dumps({"score": score}).encode())

    subscription = await shop.client.subscribe(SUBJECT, queue=shop.service, cb=on_question)
    await shop.stop.wait()
    await hear_out(subscription)


async def ask(event: Event, shop: Shop) -> int | None:
    """The score of the order in *event*, 0 to 99; None while nobody answers."""
    try:
        answer = await shop.client.request(SUBJECT, event.body(), timeout=ANSWER_S)
    except Error as error:
        shop.log.debug("no score: %s", error)
        return None
    score: int = json.loads(answer.data)["score"]
    return score
