// The recorded services that are written in JavaScript: `node services.js BROKER SERVICE`.
// services.py explains what they write.

const fs = require("node:fs");
const path = require("node:path");
const api = require("@opentelemetry/api");
const { registerInstrumentations } = require("@opentelemetry/instrumentation");
const { AmqplibInstrumentation } = require("@opentelemetry/instrumentation-amqplib");
const { KafkaJsInstrumentation } = require("@opentelemetry/instrumentation-kafkajs");
const { JsonTraceSerializer } = require("@opentelemetry/otlp-transformer");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { BatchSpanProcessor } = require("@opentelemetry/sdk-trace-base");
const { NodeTracerProvider } = require("@opentelemetry/sdk-trace-node");

const [broker, service] = process.argv.slice(2);
const SECONDS = 8; // for which consumers listen
const append = (name, line) => fs.appendFileSync(path.join(__dirname, name), `${line}\n`);

const toFile = {
  export(spans, done) {
    append(`${broker}.jsonl`, Buffer.from(JsonTraceSerializer.serializeRequest(spans)).toString());
    done({ code: 0 });
  },
  shutdown: async () => {},
};
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ "service.name": service }),
  spanProcessors: [new BatchSpanProcessor(toFile)],
});
provider.register();
registerInstrumentations({
  instrumentations: [new AmqplibInstrumentation(), new KafkaJsInstrumentation()],
});

function body(order, what) {
  const message = `${order} ${what}`;
  append(`${broker}.truth.jsonl`, JSON.stringify({ published: message, order, service }));
  return JSON.stringify({ order, message });
}

function handled(data, traceparent, queue) {
  const said = JSON.parse(data);
  const [, trace, span] = traceparent.toString().split("-");
  const row = { handled: said.message, sender: `${trace}:${span}`, service, queue };
  append(`${broker}.truth.jsonl`, JSON.stringify(row));
  return said.order;
}

const posted = (work) =>
  api.trace.getTracer("shop").startActiveSpan("POST /orders", { kind: api.SpanKind.SERVER }, async (span) => {
    await work();
    span.end();
  });

async function mail() {
  // RabbitMQ
  const connection = await require("amqplib").connect(process.env.RABBITMQ);
  const channel = await connection.createChannel();
  await channel.consume("mail", (message) => {
    handled(message.content, message.properties.headers.traceparent, "mail");
    channel.ack(message);
  });
  await posted(() => channel.publish("shop", "order.placed", Buffer.from(body("N-1", "order.placed"))));
  return () => connection.close();
}

async function packing() {
  // Kafka
  const { Kafka, Partitioners, logLevel } = require("kafkajs");
  const kafka = new Kafka({ brokers: [process.env.KAFKA], logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  const consumers = ["packing", "report"].map((groupId) => kafka.consumer({ groupId }));
  for (const client of [producer, ...consumers]) await client.connect();
  const send = (topic, ...values) => producer.send({ topic, messages: values.map((value) => ({ value })) });

  for (const consumer of consumers)
    await consumer.subscribe({
      topics: [consumer === consumers[0] ? "orders" : "parcels"],
      fromBeginning: true,
    });
  await consumers[0].run({
    eachMessage: async ({ topic, message }) => {
      const order = handled(message.value, message.headers.traceparent, topic);
      if (order.startsWith("N")) await send("parcels", body(order, "packed"));
    },
  });
  await consumers[1].run({
    eachBatch: async ({ batch }) => {
      for (const message of batch.messages) handled(message.value, message.headers.traceparent, batch.topic);
    },
  });
  await posted(() => send("orders", body("N-1", "placed")));
  await send("orders", body("N-2", "placed"), body("N-3", "placed")); // outside of any span: two traces
  return async () => {
    for (const client of [...consumers, producer]) await client.disconnect();
  };
}

(async () => {
  const stop = await { mail, packing }[service]();
  await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000));
  await stop();
  await provider.shutdown();
  process.exit(0);
})();
