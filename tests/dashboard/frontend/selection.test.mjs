import assert from "node:assert/strict";
import { test } from "node:test";
import {
  found,
  linked,
  neighbour,
  nextOf,
  problemsOf,
  related,
} from "../../../dashboard/drawing/frontend/selection.js";

const leads = (...pairs) => pairs.map(([s, t]) => ({ s, t }));
const ORDER = leads(["placed", "reserved"], ["placed", "cleared"], ["reserved", "paid"], ["paid", "shipped"]);

test("all causes and all effects belong to a step, siblings do not", () => {
  assert.deepEqual(related(linked(ORDER), "reserved"), new Set(["reserved", "placed", "paid", "shipped"]));
});

test("a circle is walked once", () => {
  const circle = leads(["a", "b"], ["b", "c"], ["c", "a"], ["c", "d"]);
  assert.deepEqual(related(linked(circle), "b"), new Set(["a", "b", "c", "d"]));
});

test("a step without edges stands alone", () => {
  assert.deepEqual(related(linked(ORDER), "elsewhere"), new Set(["elsewhere"]));
});

test("a flow of ten thousand steps in one chain is no problem", () => {
  const chain = leads(...Array.from({ length: 10_000 }, (_, at) => [at, at + 1]));
  assert.equal(related(linked(chain), 5_000).size, 10_001);
});

test("what is missing comes before what failed, and that before what is slow", () => {
  const items = [{ problem: 3 }, { problem: 0 }, { problem: 2 }, { problem: 1 }];
  assert.deepEqual(
    problemsOf(items).map((item) => item.problem),
    [1, 2, 3],
  );
});

test("the next problem after the last is the first", () => {
  assert.equal(nextOf(["a", "b"], "b"), "a");
  assert.equal(nextOf(["a", "b"], "a"), "b");
  assert.equal(nextOf(["a", "b"], null), "a");
  assert.equal(nextOf([], "a"), null);
});

test("arrow keys walk to causes, to effects and along a row", () => {
  const nodes = [
    { id: "placed", x: 0, y: 0 },
    { id: "cleared", x: 200, y: 60 },
    { id: "reserved", x: 0, y: 60 },
    { id: "paid", x: 0, y: 120 },
  ];
  const drawn = { nodes, links: linked(ORDER), direction: "down" };
  assert.equal(neighbour(drawn, null, 1), "placed");
  assert.equal(neighbour(drawn, "paid", "cause"), "reserved");
  assert.equal(neighbour(drawn, "placed", "effect"), "reserved");
  assert.equal(neighbour(drawn, "reserved", 1), "cleared");
  assert.equal(neighbour(drawn, "cleared", -1), "reserved");
  assert.equal(neighbour(drawn, "cleared", 1), undefined);
});

test("in a drawing that runs to the right a row stands upright", () => {
  const nodes = [
    { id: "lower", x: 60, y: 90 },
    { id: "upper", x: 60, y: 0 },
  ];
  assert.equal(neighbour({ nodes, links: linked([]), direction: "right" }, "upper", 1), "lower");
});

test("what is searched is found in names, services and takers, however it is written", () => {
  const nodes = [
    { id: "a", title: "OrderPlaced", service: "order" },
    { id: "b", title: "StockReserved", service: "inventory" },
    { id: "c", title: "60\u00d7 OrderShipped", service: "shipping", sub: "taken by audit" },
  ];
  assert.deepEqual(found(nodes, " order"), ["a", "c"]);
  assert.deepEqual(found(nodes, "INVENT"), ["b"]);
  assert.deepEqual(found(nodes, "audit"), ["c"]);
  assert.deepEqual(found(nodes, "  "), []);
});
