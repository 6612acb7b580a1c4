// Which steps belong together, and which comes next: pure walks over the data of a drawing.
// Edges lead from `s` to `t`.

// The ids of everything that led to `id`, of everything that followed from it, and `id` itself.
export function related(edges, id) {
  return new Set([...reached(edges, id, "t", "s"), ...reached(edges, id, "s", "t")]);
}

function reached(edges, start, from, to) {
  const next = new Map();
  for (const edge of edges) {
    const ends = next.get(edge[from]);
    if (ends) ends.push(edge[to]);
    else next.set(edge[from], [edge[to]]);
  }
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

// The id of the box next to `at`: its first "cause", its first "effect", or, if `way` is a number, the box
// that many places further in its row. With nothing selected it is the first box.
export function neighbour({ nodes, edges, direction }, at, way) {
  if (!at) return nodes[0]?.id;
  if (way === "cause") return edges.find((edge) => edge.t === at)?.s;
  if (way === "effect") return edges.find((edge) => edge.s === at)?.t;
  const [across, along] = direction === "down" ? ["y", "x"] : ["x", "y"];
  const here = nodes.find((node) => node.id === at);
  const row = nodes
    .filter((node) => Math.abs(node[across] - here[across]) < 20)
    .sort((a, b) => a[along] - b[along]);
  return row[row.findIndex((node) => node.id === at) + way]?.id;
}
