import assert from "node:assert/strict";
import { test } from "node:test";
import { boxAt, boxOfEdge, boxOfNode, meets, visible } from "../../../dashboard/drawing/frontend/culling.js";

const node = (id, x, y) => ({ id, x, y, w: 192, h: 39 });

test("what a window shows is in the port, and what is far outside is not", () => {
  const view = { k: 0.5, x: -1000, y: 0 };
  const port = visible(view, [800, 600], 1000, 100);
  assert.deepEqual(port, [1800, -200, 3800, 1400]);
  assert.ok(meets(boxOfNode(node("a", 2000, 0)), port));
  assert.ok(meets(boxOfNode(node("half", 1700, 0)), port));
  assert.ok(!meets(boxOfNode(node("left", 1600, 0)), port));
  assert.ok(!meets(boxOfNode(node("below", 2000, 1401)), port));
});

test("a drawing of few boxes is drawn as a whole", () => {
  assert.equal(visible({ k: 1, x: 0, y: 0 }, [10, 10], 120, 0), null);
  assert.ok(meets([9e9, 9e9, 9e9, 9e9], null));
});

test("an arrow that crosses the window is drawn, though both of its ends are outside", () => {
  const edge = {
    points: [
      [0, -5000],
      [10, 0],
      [10, 900],
      [0, 5000],
    ],
  };
  assert.ok(meets(boxOfEdge(edge), [-100, 0, 100, 600]));
});

test("a block is found under the pointer or beside it, and the one above first", () => {
  const nodes = [node("a", 0, 0), node("b", 100, 0)];
  assert.equal(boxAt(nodes, [150, 20], 0), "b");
  assert.equal(boxAt(nodes, [-3, 20], 5), "a");
  assert.equal(boxAt(nodes, [-30, 20], 5), undefined);
});
