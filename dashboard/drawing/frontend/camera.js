// Which part of a drawing is visible? Pure functions of a view { k, x, y }: its scale and its offset in
// pixels. `size` is that of the window; `bounds` are the drawing's edges: left, top, right, bottom.

const LEAST = 0.08;
const MOST = 3;
// A revealed box keeps this distance from the edge.
const PADDING = 40;

// The scale at which the whole drawing is visible.
export function fitScale([w, h], [x0, y0, x1, y1]) {
  return Math.min((w - 48) / Math.max(x1 - x0, 1), (h - 64) / Math.max(y1 - y0, 1), 1.1);
}

// The whole drawing, centred horizontally and a little above the middle.
export function fitted(size, bounds) {
  const [w, h] = size;
  const [x0, y0, x1, y1] = bounds;
  const k = Math.max(fitScale(size, bounds), 0.1);
  return { k, x: w / 2 - (k * (x0 + x1)) / 2, y: Math.max(28, (h - k * (y1 - y0)) * 0.3) - k * y0 };
}

// Zooms so that the point [x, y] of the window stays where it is.
export function zoomed(view, by, [x, y]) {
  const k = Math.min(MOST, Math.max(LEAST, view.k * by));
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
