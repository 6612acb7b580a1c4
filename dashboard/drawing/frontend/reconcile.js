// Updates a list and keeps what has not changed, so that a row the reader is looking at or pointing at stays.

// Makes the children of `host` those that `make` returns for `items`. An item keeps its element while its
// data is the same. An item is identified by its `key`, or by its place if it has none.
export function keyed(host, items, make) {
  const before = host.kept || new Map();
  const after = new Map();
  const nodes = items.map((item, place) => {
    const key = String(item.key ?? place);
    const text = JSON.stringify(item);
    const held = before.get(key);
    const kept = held && held.text === text ? held : { text, node: make(item) };
    after.set(key, kept);
    return kept.node;
  });
  nodes.forEach((node, place) => {
    if (host.children[place] !== node) host.insertBefore(node, host.children[place] || null);
  });
  while (host.children.length > nodes.length) host.lastElementChild.remove();
  host.kept = after;
}
