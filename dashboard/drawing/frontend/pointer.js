// The mouse on a drawing: dragging pans, the wheel zooms at the pointer.

// How many pixels a click may move before it becomes a drag.
const STILL = 4;

export class Pointer {
  // `surface` has the methods `view()`, `pan(x, y)` and `zoomAt(by, point)`.
  constructor(svg, surface) {
    Object.assign(this, { svg, surface, from: null, dragged: false });
    svg.addEventListener("pointerdown", (event) => this.down(event));
    svg.addEventListener("pointermove", (event) => this.drag(event));
    svg.addEventListener("pointerup", () => {
      this.from = null;
    });
    svg.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  down(event) {
    if (event.button) return;
    this.from = { x: event.clientX, y: event.clientY, view: { ...this.surface.view() } };
    this.dragged = false;
  }

  drag(event) {
    if (!this.from || !event.buttons) return;
    const { x, y, view } = this.from;
    const [dx, dy] = [event.clientX - x, event.clientY - y];
    if (!this.dragged && Math.hypot(dx, dy) < STILL) return;
    if (!this.dragged) this.svg.setPointerCapture(event.pointerId);
    this.dragged = true;
    this.surface.pan(view.x + dx, view.y + dy);
  }

  wheel(event) {
    event.preventDefault();
    const box = this.svg.getBoundingClientRect();
    // With Ctrl it is a pinch on a touchpad, which sends smaller steps.
    const pace = event.ctrlKey ? 0.01 : 0.0016;
    const by = Math.exp(-event.deltaY * pace);
    this.surface.zoomAt(by, [event.clientX - box.left, event.clientY - box.top]);
  }
}
