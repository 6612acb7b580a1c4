// Which steps belong together, and which comes next: pure walks over the data of a drawing.
// Edges lead from `s` to `t`.

// The ids of the boxes that lead to each box, and of those it leads to.
export function linked(edges) {
  const [causes, effects] = [new Map(), new Map()];
  const add = (ends, from, to) => ends.get(from)?.push(to) || ends.set(from, [to]);
  for (const { s, t } of edges) {
    add(causes, t, s);
    add(effects, s, t);
  }
  return { causes, effects };
}

// The ids of everything that led to `id`, of everything that followed from it, and `id` itself.
export function related({ causes, effects }, id) {
  return new Set([...reached(causes, id), ...reached(effects, id)]);
}

function reached(next, start) {
  const seen = new Set([start]);
  // Iterating over a set also visits what is added meanwhile.
  for (const id of seen) for (const other of next.get(id) || []) seen.add(other);
  return seen;
}

// What needs attention, the most urgent first: 1 is missing, 2 failed, 3 slow.
export function problemsOf(items) {
  return items.filter((item) => item.problem).sort((a, b) => a.problem - b.problem);
}

export function nextOf(list, current) {
  return list.length ? list[(list.indexOf(current) + 1) % list.length] : null;
}

// The ids of the boxes with a text in their names, in the order of the drawing.
export function found(nodes, text) {
  const wanted = text.trim().toLowerCase();
  const says = ({ title, service, sub }) => `${title}\n${service || ""}\n${sub || ""}`.toLowerCase();
  return wanted ? nodes.filter((node) => says(node).includes(wanted)).map((node) => node.id) : [];
}

// The id of the box next to `at`: its first "cause", its first "effect", or, if `way` is a number, the box
// that many places further in its row. With nothing selected it is the first box.
export function neighbour({ nodes, links, direction }, at, way) {
  if (!at) return nodes[0]?.id;
  if (way === "cause") return links.causes.get(at)?.[0];
  if (way === "effect") return links.effects.get(at)?.[0];
  const [across, along] = direction === "down" ? ["y", "x"] : ["x", "y"];
  const here = nodes.find((node) => node.id === at);
  const row = nodes
    .filter((node) => Math.abs(node[across] - here[across]) < 20)
    .sort((a, b) => a[along] - b[along]);
  return row[row.findIndex((node) => node.id === at) + way]?.id;
}
