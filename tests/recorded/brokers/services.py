"""Which services are recorded? `python services.py BROKER SERVICE` runs one, as `record.sh` does.

Each writes what its SDK would have sent to BROKER.jsonl, and to BROKER.truth.jsonl which message really went
from where to where. It knows that from the bodies and headers of the messages, without stitching.
"""

# mypy: ignore-errors
# The libraries of these services are installed where they are recorded, not here.

import asyncio
import base64
import json
import os
import sys
import time
from pathlib import Path

from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind

BROKER, SERVICE = sys.argv[1:]
HERE = Path(__file__).parent
SECONDS = 8  # for which consumers listen
EXCHANGE = "shop"
SQS = {
    "endpoint_url": os.environ.get("SQS"),
    "region_name": "eu-central-1",
    "aws_access_key_id": "nobody",
    "aws_secret_access_key": "nothing",
}


class ToFile(SpanExporter):
    """Appends each request as one line of OTLP JSON."""

    def export(self, spans):
        request = _with_hex_ids(MessageToDict(encode_spans(spans), use_integers_for_enums=True))
        _append(f"{BROKER}.jsonl", request)
        return SpanExportResult.SUCCESS


def _with_hex_ids(value):
    if isinstance(value, list):
        return [_with_hex_ids(item) for item in value]
    if not isinstance(value, dict):
        return value
    ids = ("traceId", "spanId", "parentSpanId")
    return {k: base64.b64decode(v).hex() if k in ids else _with_hex_ids(v) for k, v in value.items()}


def _append(name, line):
    with (HERE / name).open("a") as file:
        file.write(json.dumps(line, separators=(",", ":")) + "\n")


PROVIDER = TracerProvider(resource=Resource({"service.name": SERVICE}))
PROVIDER.add_span_processor(BatchSpanProcessor(ToFile()))
TRACER = PROVIDER.get_tracer("shop")


def body(order, what):
    """The body of a message, which is logged as published."""
    message = f"{order} {what}"
    _append(f"{BROKER}.truth.jsonl", {"published": message, "order": order, "service": SERVICE})
    return json.dumps({"order": order, "message": message}).encode()


def handled(data, traceparent, queue):
    """The order in a body, which is logged as handled; *traceparent* names its sender's span."""
    said = json.loads(data)
    text = traceparent.decode() if isinstance(traceparent, bytes) else traceparent
    _, trace, span, _ = text.split("-")
    row = {"handled": said["message"], "sender": f"{trace}:{span}", "service": SERVICE, "queue": queue}
    _append(f"{BROKER}.truth.jsonl", row)
    return said["order"]


def posted():
    """A request from outside, during which an order is placed."""
    return TRACER.start_as_current_span("POST /orders", kind=SpanKind.SERVER)


# RabbitMQ: pika, aio-pika, and amqplib in services.js


def _pika():
    import pika
    from opentelemetry.instrumentation.pika import PikaInstrumentor

    PikaInstrumentor().instrument(tracer_provider=PROVIDER)
    channel = pika.BlockingConnection(pika.URLParameters(os.environ["RABBITMQ"])).channel()
    return pika, channel


def rabbitmq_shop():
    pika, channel = _pika()

    def publish(key, order):
        # The instrumentation injects the context into the headers it is given, or into new ones.
        channel.basic_publish(EXCHANGE, key, body(order, key), pika.BasicProperties(headers={}))

    for order in ("A-1", "A-2"):
        with posted():
            publish("order.placed", order)
    publish("order.placed", "A-3")
    with posted():
        publish("order.doubted", "A-4")  # is nacked once
        publish("order.spoilt", "A-4")  # goes to the dead letters


def rabbitmq_billing():
    pika, channel = _pika()

    def bill(_, method, properties, data):
        order = handled(data, properties.headers["traceparent"], "billing")
        key = method.routing_key
        if key == "order.doubted" and not method.redelivered:
            channel.basic_nack(method.delivery_tag)
        elif key == "order.spoilt":
            channel.basic_reject(method.delivery_tag, requeue=False)
        else:
            paid = body(order, "payment.captured")
            channel.basic_publish(EXCHANGE, "payment.captured", paid, pika.BasicProperties(headers={}))
            channel.basic_ack(method.delivery_tag)

    def bury(_, method, properties, data):
        handled(data, properties.headers["traceparent"], "dead")
        channel.basic_ack(method.delivery_tag)

    channel.basic_consume("billing", bill)
    channel.basic_consume("dead", bury)
    _until(lambda: channel.connection.process_data_events(time_limit=0.3))


def rabbitmq_stock():
    import aio_pika
    from opentelemetry.instrumentation.aio_pika import AioPikaInstrumentor

    AioPikaInstrumentor().instrument(tracer_provider=PROVIDER)

    async def serve():
        connection = await aio_pika.connect(os.environ["RABBITMQ"])
        channel = await connection.channel()
        exchange = await channel.get_exchange(EXCHANGE)

        async def reserve(message):
            async with message.process():
                order = handled(message.body, message.headers["traceparent"], "stock")
                reserved = aio_pika.Message(body(order, "stock.reserved"), headers={})
                await exchange.publish(reserved, "stock.reserved")

        await (await channel.get_queue("stock")).consume(reserve)
        await asyncio.sleep(SECONDS)
        await connection.close()

    asyncio.run(serve())


def rabbitmq_queues():
    import pika

    channel = pika.BlockingConnection(pika.URLParameters(os.environ["RABBITMQ"])).channel()
    channel.exchange_declare(EXCHANGE, "topic")
    channel.exchange_declare("dead", "fanout")
    for queue, exchange, key, more in (
        ("billing", EXCHANGE, "order.*", {"x-dead-letter-exchange": "dead"}),
        ("stock", EXCHANGE, "order.placed", None),
        ("mail", EXCHANGE, "*.*ed", None),
        ("dead", "dead", "", None),
    ):
        channel.queue_delete(queue)
        channel.queue_declare(queue, arguments=more)
        channel.queue_bind(queue, exchange, key)
    channel.queue_unbind("mail", EXCHANGE, "*.*ed")
    for key in ("payment.captured", "stock.reserved"):
        channel.queue_bind("mail", EXCHANGE, key)


# SQS: boto3


def _sqs():
    import boto3
    from opentelemetry.instrumentation.boto3sqs import Boto3SQSInstrumentor

    Boto3SQSInstrumentor().instrument(tracer_provider=PROVIDER)
    client = boto3.client("sqs", **SQS)
    return client, {name: client.get_queue_url(QueueName=name)["QueueUrl"] for name in ("orders", "parcels")}


def sqs_shop():
    client, queues = _sqs()
    with posted():
        client.send_message(QueueUrl=queues["orders"], MessageBody=body("A-1", "placed").decode())
    entries = [{"Id": str(n), "MessageBody": body(f"B-{n}", "placed").decode()} for n in range(4)]
    client.send_message_batch(QueueUrl=queues["orders"], Entries=entries)  # outside of any span: four traces


def sqs_stock():
    client, queues = _sqs()

    def poll(queue, most=10):
        wait = 1 if queue == "orders" else 0
        asked = {"QueueUrl": queues[queue], "MaxNumberOfMessages": most, "WaitTimeSeconds": wait}
        for number, message in enumerate(client.receive_message(**asked).get("Messages", [])):
            sender = message["MessageAttributes"]["traceparent"]["StringValue"]
            order = handled(message["Body"], sender, queue)
            if queue == "orders":
                client.send_message(QueueUrl=queues["parcels"], MessageBody=body(order, "packed").decode())
                # A message's context stays open until the message is deleted: this poll runs inside it, and
                # brings what the previous order led to.
                if number % 2:
                    poll("parcels", 1)
            client.delete_message(QueueUrl=queues[queue], ReceiptHandle=message["ReceiptHandle"])

    _until(lambda: (poll("orders"), poll("parcels")))


def sqs_queues():
    import boto3

    for name in ("orders", "parcels"):
        boto3.client("sqs", **SQS).create_queue(QueueName=name)


# Kafka: confluent-kafka, aiokafka, and kafkajs in services.js


def kafka_shop():
    """Publish to two topics and read both in one loop: a poll of one is inside the work of the other."""
    import confluent_kafka
    from opentelemetry.instrumentation.confluent_kafka import ConfluentKafkaInstrumentor

    ConfluentKafkaInstrumentor().instrument(tracer_provider=PROVIDER)
    producer = confluent_kafka.Producer({"bootstrap.servers": os.environ["KAFKA"]})
    with posted():
        producer.produce("orders", body("A-1", "placed"))
        producer.produce("parcels", body("A-1", "packed"))
    for order in ("A-2", "A-3"):
        producer.produce("orders", body(order, "placed"))
        producer.produce("parcels", body(f"{order}b", "packed"))  # its own trace, as no span is around it
    producer.flush()

    def reader(topic):
        settings = {"group.id": f"shop {topic}", "auto.offset.reset": "earliest"}
        made = confluent_kafka.Consumer({"bootstrap.servers": os.environ["KAFKA"], **settings})
        made.subscribe([topic])
        return made

    one, many = reader("orders"), reader("parcels")

    def read():
        for message in [one.poll(0.3), *many.consume(10, 0.3)]:
            if message is not None and not message.error():
                handled(message.value(), dict(message.headers())["traceparent"], message.topic())

    _until(read)
    one.close()
    many.close()


def kafka_stock():
    import aiokafka
    from opentelemetry.instrumentation.aiokafka import AIOKafkaInstrumentor

    AIOKafkaInstrumentor().instrument(tracer_provider=PROVIDER)

    async def serve():
        where = {"bootstrap_servers": os.environ["KAFKA"], "auto_offset_reset": "earliest"}
        consumer = aiokafka.AIOKafkaConsumer("orders", group_id="stock", **where)
        await consumer.start()
        for _ in range(SECONDS):
            for messages in (await consumer.getmany(timeout_ms=1000)).values():
                for message in messages:
                    handled(message.value, dict(message.headers)["traceparent"], message.topic)
        await consumer.stop()

    asyncio.run(serve())


def kafka_queues():
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": os.environ["KAFKA"]})
    for made in admin.create_topics([NewTopic(topic, 1, 1) for topic in ("orders", "parcels")]).values():
        made.result()


def _until(work):
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        work()


if __name__ == "__main__":
    globals()[f"{BROKER}_{SERVICE}"]()
    PROVIDER.shutdown()
