// Which part of a drawing is visible? Pure functions of a view { k, x, y }: its scale and its offset in
// pixels. `size` is that of the window; `bounds` are the drawing's edges: left, top, right, bottom.

const LEAST = 0.08;
const MOST = 3;
// A drawing that would have to shrink below READABLE opens at OPENING instead.
const READABLE = 0.66;
const OPENING = 0.8;
// A revealed box keeps this distance from the edge.
const PADDING = 40;
// What is at the edge of a drawing that does not fit keeps clear of the buttons and of the small copy.
const TOP = 52;
const BOTTOM = 132;

// The scale at which the whole drawing is visible.
export function fitScale([w, h], [x0, y0, x1, y1]) {
  return Math.min((w - 48) / Math.max(x1 - x0, 1), (h - 64) / Math.max(y1 - y0, 1), 1.1);
}

// The whole drawing, centred horizontally and a little above the middle.
export function fitted(size, bounds) {
  const [w, h] = size;
  const [x0, y0, x1, y1] = bounds;
  const k = fitScale(size, bounds);
  return { k, x: w / 2 - (k * (x0 + x1)) / 2, y: Math.max(28, (h - k * (y1 - y0)) * 0.3) - k * y0 };
}

// How a drawing opens: as a whole if it can be read like that, else with `box` in view and with as little
// emptiness beside the drawing as possible.
export function opened(size, bounds, box) {
  if (fitScale(size, bounds) >= READABLE || !box) return fitted(size, bounds);
  const [w, h] = size;
  const [x0, y0, x1, y1] = bounds.map((edge) => edge * OPENING);
  const { x, y } = centred({ k: OPENING }, size, box);
  return { k: OPENING, x: held(x, w, x0, x1, PADDING, PADDING), y: held(y, h, y0, y1, TOP, BOTTOM) };
}

// Moves `at` so that what lies `from` one edge `to` the other fills the room, or is in its middle.
function held(at, room, from, to, before, after) {
  const [least, most] = [room - after - to, before - from];
  return least > most ? (least + most) / 2 : Math.min(most, Math.max(least, at));
}

// The same part of the drawing in a window of another size.
export function resized({ k, x, y }, [w0, h0], [w, h]) {
  return { k, x: x + (w - w0) / 2, y: y + (h - h0) / 2 };
}

// Zooms so that the point [x, y] of the window stays where it is.
export function zoomed(view, by, [x, y]) {
  // A drawing that was fitted may be smaller than LEAST.
  const k = Math.min(MOST, Math.max(Math.min(LEAST, view.k), view.k * by));
  const ratio = k / view.k;
  return { k, x: x - (x - view.x) * ratio, y: y - (y - view.y) * ratio };
}

export function centred({ k }, [w, h], box) {
  return { k, x: w / 2 - (box.x + box.w / 2) * k, y: h * 0.6 - box.y * k };
}

// Brings a box into view with as little movement as possible.
export function revealed(view, [w, h], box) {
  const { k } = view;
  const x = box.x * k + view.x;
  const y = box.y * k + view.y;
  return {
    k,
    x: view.x + Math.max(0, PADDING - x) - Math.max(0, x + box.w * k + PADDING - w),
    y: view.y + Math.max(0, PADDING - y) - Math.max(0, y + box.h * k + PADDING - h),
  };
}

// Follows a drawing that moved as a whole while it grew. `place` says where the box of an id was; the most
// common move decides.
export function followed(view, nodes, place) {
  const moves = new Map();
  for (const { id, x, y } of nodes) {
    const before = place(id);
    const move = before && `${x - before.x},${y - before.y}`;
    if (move) moves.set(move, (moves.get(move) || 0) + 1);
  }
  const [most] = [...moves].sort((a, b) => b[1] - a[1])[0] || ["0,0"];
  const [dx, dy] = most.split(",").map(Number);
  return { k: view.k, x: view.x - dx * view.k, y: view.y - dy * view.k };
}

export function seesAll({ k, x, y }, [w, h], [x0, y0, x1, y1]) {
  return x0 * k + x >= -1 && y0 * k + y >= -1 && x1 * k + x <= w + 1 && y1 * k + y <= h + 1;
}
