// Which items of a drawing are near its visible part? Pure functions of boxes: left, top, right, bottom.

// Up to this many boxes all are drawn.
const FEW = 120;
// Arrows that run back stand beside their points; labels and shadows stand out a little.
const BESIDE = 40;

// The part of the world that a window of this size shows, and `margin` pixels around it. Null: all of it.
export function visible({ k, x, y }, [w, h], count, margin) {
  if (count <= FEW) return null;
  return [(-x - margin) / k, (-y - margin) / k, (w - x + margin) / k, (h - y + margin) / k];
}

export function meets(box, port) {
  return !port || (box[0] < port[2] && port[0] < box[2] && box[1] < port[3] && port[1] < box[3]);
}

export function boxOfNode({ x, y, w, h }) {
  return [x, y, x + w, y + h];
}

export function boxOfEdge({ points }) {
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of points) {
    box[0] = Math.min(box[0], x - BESIDE);
    box[1] = Math.min(box[1], y - BESIDE);
    box[2] = Math.max(box[2], x + BESIDE);
    box[3] = Math.max(box[3], y + BESIDE);
  }
  return box;
}

// The id of the box at a point of the world, or within `reach` of it: the last one, which lies above others.
export function boxAt(nodes, [px, py], reach) {
  const at = nodes.findLast(
    ({ x, y, w, h }) => px > x - reach && px < x + w + reach && py > y - reach && py < y + h + reach,
  );
  return at?.id;
}
