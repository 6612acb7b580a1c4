import assert from "node:assert/strict";
import { test } from "node:test";
import {
  centred,
  fitScale,
  fitted,
  followed,
  opened,
  resized,
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

const inside = (view, [w, h], box) => {
  const [left, top] = onScreen(view, [box.x, box.y]);
  const [right, bottom] = onScreen(view, [box.x + box.w, box.y + box.h]);
  return left >= 0 && top >= 0 && right <= w && bottom <= h;
};

test("a drawing opens readable, with its box in view, whatever its shape and size", () => {
  const card = { w: 192, h: 39 };
  for (const size of [WINDOW, [350, 560], [1040, 640], [2200, 700]]) {
    for (const [w, h] of [
      [192, 39],
      [192, 3000],
      [9000, 39],
      [9000, 7000],
      [700, 700],
    ]) {
      for (const box of [
        { x: 0, y: 0, ...card },
        { x: w - 192, y: h - 39, ...card },
        { x: (w - 192) / 2, y: h / 2 - 20, ...card },
      ]) {
        const view = opened(size, [0, 0, w, h], box);
        assert.ok(view.k >= 0.66, `${size} ${w} ${h}`);
        assert.ok(inside(view, size, box), `${size} ${w} ${h} ${box.x} ${box.y}`);
      }
    }
  }
});

test("a chain that opens at its root begins at the edge, and not in the middle of an empty view", () => {
  const [, top] = onScreen(opened(WINDOW, [0, 0, 192, 3000], { x: 0, y: 0, w: 192, h: 39 }), [0, 0]);
  assert.equal(Math.round(top), 52);
});

test("hundreds of cards are fitted as a whole", () => {
  const bounds = [0, 0, 450, 60_000];
  assert.ok(seesAll(fitted(WINDOW, bounds), WINDOW, bounds));
});

test("zooming in from a whole that is tiny has no jump, and there is no way further out", () => {
  assert.equal(zoomed({ k: 0.01, x: 0, y: 0 }, 1.25, [0, 0]).k, 0.0125);
  assert.equal(zoomed({ k: 0.01, x: 0, y: 0 }, 0.8, [0, 0]).k, 0.01);
});

test("a window of another size has the same middle", () => {
  const [before, after] = [{ k: 0.7, x: 30, y: -80 }, resized({ k: 0.7, x: 30, y: -80 }, WINDOW, [400, 900])];
  const middle = [(400 - before.x) / 0.7, (300 - before.y) / 0.7];
  assert.deepEqual(onScreen(after, middle).map(Math.round), [200, 450]);
});
