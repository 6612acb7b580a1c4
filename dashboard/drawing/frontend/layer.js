// The elements of the items that are near the visible part of a drawing. An item is { id, box, text, ... }: it
// keeps its element for as long as it is near, and its element stays as it is while its text is the same.

import { meets } from "./culling.js";

export class Layer {
  // `make(item)` returns an element, `dress(element, item, same)` updates it, with its text the same or not.
  constructor(host, make, dress) {
    Object.assign(this, { host, make, dress, items: new Map(), drawn: new Map() });
  }

  update(items) {
    this.items = new Map(items.map((item) => [item.id, item]));
    for (const [id, held] of this.drawn) {
      const item = this.items.get(id);
      if (item) this.put(held, item);
      else this.drop(id, held);
    }
  }

  // Draws what meets `port`, and removes what is outside of `wide`, except for `kept`.
  show(port, wide, kept) {
    for (const [id, item] of this.items) {
      const held = this.drawn.get(id);
      if (!held && meets(item.box, port)) this.add(id, item);
      else if (held && id !== kept && !meets(item.box, wide)) this.drop(id, held);
    }
  }

  // The item with this id, drawn wherever it is.
  ensure(id) {
    if (!this.drawn.has(id) && this.items.has(id)) this.add(id, this.items.get(id));
    return this.drawn.get(id);
  }

  add(id, item) {
    const held = { g: this.make(item) };
    this.put(held, item);
    this.drawn.set(id, held);
    this.host.append(held.g);
  }

  put(held, item) {
    const same = held.item?.text === item.text;
    held.item = item;
    this.dress(held.g, item, same);
  }

  drop(id, held) {
    held.g.remove();
    this.drawn.delete(id);
  }
}
