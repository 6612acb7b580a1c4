// Lines of a drawing as SVG paths: pure text.

// Curves between layers, straight lines through them: see `layout.py`.
export function route(points, direction, shift = 0) {
  const [first, ...rest] = points;
  let d = `M${first[0] + shift} ${first[1]}`;
  for (let at = 0; at < rest.length; at += 2) {
    const [x0, y0] = at ? rest[at - 1] : first;
    const [x1, y1] = rest[at];
    const [x, y] = [(x0 + x1) / 2, (y0 + y1) / 2];
    if (direction === "down") d += `C${x0 + shift} ${y} ${x1 + shift} ${y} ${x1 + shift} ${y1}`;
    else d += `C${x} ${y0} ${x} ${y1} ${x1} ${y1}`;
    if (rest[at + 1]) d += `L${rest[at + 1][0] + shift} ${rest[at + 1][1]}`;
  }
  return d;
}

export function arrowhead([x, y], direction, back) {
  const size = 3.5;
  const long = back ? -size * 1.7 : size * 1.7;
  if (direction === "down") return `M${x - size} ${y - long}L${x} ${y}L${x + size} ${y - long}Z`;
  return `M${x - long} ${y - size}L${x} ${y}L${x - long} ${y + size}Z`;
}
