import assert from "node:assert/strict";
import { test } from "node:test";
import {
  centred,
  fitScale,
  fitted,
  followed,
  revealed,
  seesAll,
  zoomed,
} from "../../../dashboard/drawing/frontend/camera.js";

const WINDOW = [800, 600];
const onScreen = ({ k, x, y }, point) => [point[0] * k + x, point[1] * k + y];

test("a drawing that is fitted can be seen as a whole", () => {
  for (const bounds of [
    [0, 0, 100, 100],
    [-500, 0, 900, 300],
    [0, 0, 300, 4000],
  ]) {
    assert.ok(seesAll(fitted(WINDOW, bounds), WINDOW, bounds), String(bounds));
  }
});

test("a small drawing is not blown up", () => {
  assert.equal(fitScale(WINDOW, [0, 0, 10, 10]), 1.1);
});

test("what is under the pointer stays there while the wheel turns", () => {
  const view = { k: 0.7, x: 30, y: -80 };
  const pointer = [420, 77];
  const under = [(pointer[0] - view.x) / view.k, (pointer[1] - view.y) / view.k];
  for (const by of [1.25, 0.8, 1000, 0.0001]) {
    const [x, y] = onScreen(zoomed(view, by, pointer), under);
    assert.ok(Math.hypot(x - pointer[0], y - pointer[1]) < 1e-9, `zoomed by ${by}`);
  }
});

test("zooming has an end on both sides", () => {
  assert.equal(zoomed({ k: 1, x: 0, y: 0 }, 1000, [0, 0]).k, 3);
  assert.equal(zoomed({ k: 1, x: 0, y: 0 }, 0.0001, [0, 0]).k, 0.08);
});

test("what is in sight is revealed without any movement", () => {
  const view = { k: 1, x: 0, y: 0 };
  assert.deepEqual(revealed(view, WINDOW, { x: 300, y: 200, w: 192, h: 39 }), view);
});

test("what is out of sight comes into it, by the shortest way", () => {
  const box = { x: 1000, y: -300, w: 192, h: 39 };
  const view = revealed({ k: 1, x: 0, y: 0 }, WINDOW, box);
  const [left, top] = onScreen(view, [box.x, box.y]);
  assert.deepEqual([left + box.w, top], [760, 40]);
});

test("a box that is centred is in the middle", () => {
  const view = centred({ k: 0.8, x: 5, y: 5 }, WINDOW, { x: 1000, y: 2000, w: 192, h: 39 });
  assert.deepEqual(onScreen(view, [1096, 2000]), [400, 360]);
});

test("a drawing that moves as a whole stays where it is for its reader", () => {
  const before = { a: { x: 0, y: 0 }, b: { x: 0, y: 60 }, c: { x: 50, y: 60 } };
  const after = [
    { id: "a", x: 100, y: 0 },
    { id: "b", x: 100, y: 60 },
    { id: "c", x: 400, y: 60 },
    { id: "new", x: 0, y: 0 },
  ];
  const view = { k: 0.5, x: 10, y: 20 };
  assert.deepEqual(
    followed(view, after, (id) => before[id]),
    { k: 0.5, x: -40, y: 20 },
  );
});

test("a drawing that does not move leaves the view alone", () => {
  const view = { k: 0.5, x: 10, y: 20 };
  assert.deepEqual(
    followed(view, [{ id: "a", x: 1, y: 2 }], () => ({ x: 1, y: 2 })),
    view,
  );
  assert.deepEqual(
    followed(view, [], () => undefined),
    view,
  );
});
