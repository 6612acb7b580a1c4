// A Node service with the usual carrier around its headers: it answers each message, as a child of the sender's span.
// Go's header type capitalizes names; so does the argument "capitals".

import { context, propagation, TraceFlags, trace } from "@opentelemetry/api";
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from "@opentelemetry/core";
import { connect, headers } from "nats";

const capitals = process.argv.includes("capitals");
const named = (key) => (capitals ? key[0].toUpperCase() + key.slice(1) : key);
const carrier = {
  get: (carried, key) => carried?.get(key) || undefined,
  keys: (carried) => carried?.keys() ?? [],
  set: (carried, key, value) => carried.set(named(key), value),
};
propagation.setGlobalPropagator(
  new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }),
);

const connection = await connect({ servers: process.env.NATS_URL, name: "node" });
const asked = connection.subscribe("node.asked");
await connection.flush(); // the server has the subscription now
console.log(JSON.stringify({ ready: true }));
for await (const message of asked) {
  const received = propagation.extract(context.active(), message.headers, carrier);
  const parent = trace.getSpanContext(received);
  const own = {
    traceId: parent?.traceId ?? "a".repeat(32),
    spanId: "b".repeat(16),
    traceFlags: TraceFlags.SAMPLED,
  };
  const answer = headers();
  propagation.inject(trace.setSpanContext(received, own), answer, carrier);
  connection.publish("node.answered", message.data, { headers: answer });
  await connection.flush();
  console.log(JSON.stringify({ parent, baggage: propagation.getBaggage(received)?.getAllEntries() }));
}
