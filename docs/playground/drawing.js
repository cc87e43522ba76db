// Data drawn by hand: with a mouse, a finger, or the keyboard.
(() => {
  const ganref = (globalThis.ganref ??= {});
  const { Random } = ganref.random;
  const { onGrid, MOST_POINTS, VIEWS } = ganref.settings;

  const SPREAD = 0.02; // of the view: the breadth of the brush
  const AT_ONCE = 6; // points of one press of Enter
  const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

  class Drawing {
    // `changed(points)` is told of every change, `ended` when the person is done.
    constructor(plane, changed, ended) {
      Object.assign(this, { plane, changed, ended, on: false, points: [], cross: null });
      this.random = new Random(0, 99);
      const { canvas } = plane;
      canvas.addEventListener("pointerdown", (event) => this.down(event));
      canvas.addEventListener("pointermove", (event) => this.moved(event));
      for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (this.held = false));
      canvas.addEventListener("keydown", (event) => this.key(event));
    }

    begin(settings) {
      this.view = VIEWS[settings.recipe];
      this.points = settings.points.slice();
      this.on = true;
      this.cross = [this.view.x, this.view.y];
      const { canvas } = this.plane;
      canvas.classList.add("drawing");
      canvas.tabIndex = 0;
      canvas.focus();
    }

    end() {
      this.on = this.held = false;
      this.cross = null;
      this.plane.canvas.classList.remove("drawing");
      this.plane.canvas.tabIndex = -1;
    }

    down(event) {
      if (!this.on) return;
      event.preventDefault();
      this.held = true;
      this.plane.canvas.setPointerCapture?.(event.pointerId);
      this.add(this.plane.place(event.clientX, event.clientY), 2);
    }

    moved(event) {
      if (!this.on || !this.held) return;
      for (const each of event.getCoalescedEvents?.() ?? [event]) {
        this.add(this.plane.place(each.clientX, each.clientY), 1);
      }
    }

    key(event) {
      if (!this.on) return;
      const { half, x, y } = this.view;
      if (event.key in MOVES) {
        const step = half * (event.shiftKey ? 0.15 : 0.05);
        const [dx, dy] = MOVES[event.key];
        const clamp = (value, middle) => Math.min(middle + half, Math.max(middle - half, value));
        this.cross = [clamp(this.cross[0] + dx * step, x), clamp(this.cross[1] + dy * step, y)];
        this.changed(this.points, false);
      } else if (event.key === "Enter" || event.key === " ") {
        this.add(this.cross, AT_ONCE);
      } else if (event.key === "Backspace" || event.key === "Delete") {
        this.points = this.points.slice(0, -AT_ONCE);
        this.changed(this.points, true);
      } else if (event.key === "Escape") {
        this.ended();
      } else {
        return;
      }
      event.preventDefault();
      event.stopPropagation();
    }

    // So many points around a place, on the grid that an address can hold.
    add([x, y], count) {
      const { view, random } = this;
      const spread = SPREAD * view.half * 2;
      const near = (value, middle) => onGrid(value + spread * random.normal(), middle, view);
      const room = Math.min(count, MOST_POINTS - this.points.length);
      for (let i = 0; i < room; i++) this.points.push([near(x, view.x), near(y, view.y)]);
      if (room > 0) this.changed(this.points, true);
    }
  }

  ganref.drawing = { Drawing };
})();
