// The base class of text views. They redraw only if their content has changed.

export class TextView {
  constructor(root, act) {
    Object.assign(this, { root, act });
  }

  // `now` and `checked` change with each refresh: they alone are no reason to redraw.
  update({ now, checked, ...data }) {
    if (this.checked && checked) this.checked.firstElementChild.dataset.since = checked;
    const text = JSON.stringify(data);
    if (text === this.text) return;
    this.text = text;
    this.root.replaceChildren(this.draw({ ...data, checked }));
  }
}
