// The plane: D's opinion behind, real and generated points, and the pull on each generated one.
(() => {
  const ganref = (globalThis.ganref ??= {});
  const { Random, STREAM } = ganref.random;

  // ganref's own blue and orange (ganref/output/canvas.py); on a dark page a lighter shade of each.
  const INK = {
    light: { real: "#1f6fb4", fake: "#e07b1a", rim: "#ffffff", line: "#55606b", text: "#1b1f24" },
    dark: { real: "#6db3f2", fake: "#ffa04d", rim: "#101216", line: "#aab4bf", text: "#eef1f4" },
  };
  const SHOWN = 400; // points of each kind
  const ARROWS = 64;
  const LABELS = 8; // points of a batch that carry D's score in slow motion
  const STRONG = 0.25; // a gradient of this size has an arrow of half the greatest length
  const LONGEST = 0.1; // of the side

  class Plane {
    constructor(canvas) {
      this.canvas = canvas;
      this.context = canvas.getContext("2d");
      this.cost = 0; // milliseconds that the latest heat map took
      this.judged = -Infinity;
    }

    // To look at another session, with noise of its own that stays the same.
    watch(session) {
      this.session = session;
      this.view = ganref.settings.VIEWS[session.settings.recipe];
      const { gan } = session;
      const numbers = gan.net_D.flat.length;
      this.surface = new ganref.surface.Surface(session, numbers > 5000 ? 40 : 64);
      this.net_G = gan.net_G.twin(SHOWN);
      this.net_D = gan.net_D.twin(ARROWS);
      session.picturedZ.normals(this.net_G.input);
      this.real = session.points.subarray(0, 2 * SHOWN);
      this.judged = -Infinity;
    }

    // The canvas as large as its place, in the screen's own pixels.
    fit() {
      const ratio = Math.min(2, globalThis.devicePixelRatio || 1);
      const side = Math.max(1, Math.round(this.canvas.clientWidth * ratio));
      if (this.canvas.width !== side) this.canvas.width = this.canvas.height = side;
      this.side = side;
      this.unit = side / 560; // lines and points grow with the picture
    }

    px(x) {
      return ((x - this.view.x) / this.view.half + 1) * 0.5 * this.side;
    }

    py(y) {
      return (1 - (y - this.view.y) / this.view.half) * 0.5 * this.side;
    }

    // The place in the plane of a point of the page.
    place(clientX, clientY) {
      const box = this.canvas.getBoundingClientRect();
      const { x, y, half } = this.view;
      return [x + half * ((2 * (clientX - box.left)) / box.width - 1),
        y - half * ((2 * (clientY - box.top)) / box.height - 1)];
    }

    // `marks` is what slow motion shows of its batch, `cross` where the keyboard draws.
    draw({ theme, hidden, marks, cross, calm }) {
      this.fit();
      const { context: c, side, net_G, unit } = this;
      const ink = INK[theme];
      this.ink = ink;
      c.clearRect(0, 0, side, side);
      if (!hidden.has("heat")) {
        this.judge(calm);
        this.surface.paint(c, side, theme);
        c.strokeStyle = ink.line;
        c.lineWidth = 1.2 * unit;
        this.surface.trace(c, side);
      }
      net_G.forward(SHOWN);
      const faint = marks ? 0.25 : 1;
      if (!hidden.has("real")) this.dots(this.real, ink.real, 2.6, 0.62 * faint);
      if (!hidden.has("fake")) this.dots(net_G.output, ink.fake, 2.8, 0.8 * faint);
      if (!hidden.has("arrows") && !marks) this.pulls();
      if (marks) this.mark(marks);
      if (cross) this.cross(cross);
    }

    // A new heat map, unless the last one was so dear that training should come first.
    judge(calm) {
      const now = performance.now();
      if (!calm && now - this.judged < 4 * this.cost) return;
      this.surface.judge();
      this.judged = performance.now();
      this.cost = this.judged - now;
    }

    dots(points, colour, radius, alpha) {
      const { context: c, unit } = this;
      c.globalAlpha = alpha;
      c.fillStyle = colour;
      c.beginPath();
      for (let i = 0; i < points.length; i += 2) {
        const x = this.px(points[i]), y = this.py(points[i + 1]);
        c.moveTo(x + radius * unit, y);
        c.arc(x, y, radius * unit, 0, 7);
      }
      c.fill();
      c.globalAlpha = 1;
    }

    // Minus the gradient of each generated point's own L_G: where G is to move it.
    pulls() {
      const { net_G, net_D, session } = this;
      const { kind, recipe } = session.gan;
      for (let i = 0; i < 2 * ARROWS; i++) net_D.input[i] = net_G.output[i];
      net_D.forward(ARROWS);
      for (let i = 0; i < ARROWS; i++) net_D.d_output[i] = kind.slopeG(recipe.loss, net_D.output[i]);
      net_D.backward(ARROWS, false);
      this.arrows(net_D.input, net_D.d_input, ARROWS, 1);
    }

    arrows(points, slopes, count, factor) {
      const { context: c, side, unit } = this;
      c.strokeStyle = c.fillStyle = this.ink.text;
      c.lineWidth = 1.3 * unit;
      c.globalAlpha = 0.75;
      c.beginPath();
      for (let i = 0; i < 2 * count; i += 2) {
        const dx = -slopes[i] * factor, dy = slopes[i + 1] * factor;
        const size = Math.hypot(dx, dy);
        const length = (LONGEST * side * size) / (size + STRONG);
        if (!(length > 1)) continue;
        const ux = dx / size, uy = dy / size, head = Math.min(5 * unit, length / 2);
        const x = this.px(points[i]), y = this.py(points[i + 1]);
        const tx = x + ux * length, ty = y + uy * length;
        c.moveTo(x, y);
        c.lineTo(tx, ty);
        c.moveTo(tx - head * (ux - 0.6 * uy), ty - head * (uy + 0.6 * ux));
        c.lineTo(tx, ty);
        c.lineTo(tx - head * (ux + 0.6 * uy), ty - head * (uy - 0.6 * ux));
      }
      c.stroke();
      c.globalAlpha = 1;
    }

    // A batch in slow motion: its points large, D's scores beside some, arrows, and whence G's came.
    mark({ real, fake, scores, slopes, factor, before, count }) {
      if (before) this.paths(before, fake, count);
      if (real) this.large(real, this.ink.real, count);
      if (fake) this.large(fake, this.ink.fake, count);
      if (slopes) this.arrows(fake, slopes, count, factor);
      if (scores) {
        if (scores.real) this.label(real, scores.real, count);
        this.label(fake, scores.fake, count);
      }
    }

    large(points, colour, count) {
      this.dots(points.subarray(0, 2 * count), this.ink.rim, 6.5, 1);
      this.dots(points.subarray(0, 2 * count), colour, 5, 1);
    }

    paths(from, to, count) {
      const { context: c } = this;
      c.strokeStyle = this.ink.fake;
      c.lineWidth = 1.5 * this.unit;
      c.beginPath();
      for (let i = 0; i < 2 * count; i += 2) {
        c.moveTo(this.px(from[i]), this.py(from[i + 1]));
        c.lineTo(this.px(to[i]), this.py(to[i + 1]));
      }
      c.stroke();
    }

    label(points, scores, count) {
      const { context: c, unit } = this;
      c.font = `${12 * unit}px system-ui, sans-serif`;
      c.strokeStyle = this.ink.rim;
      c.fillStyle = this.ink.text;
      c.lineWidth = 3 * unit;
      for (let i = 0; i < Math.min(count, LABELS); i++) {
        const text = ganref.words.number(scores(i), 2);
        const x = this.px(points[2 * i]) + 8 * unit, y = this.py(points[2 * i + 1]) - 6 * unit;
        c.strokeText(text, x, y);
        c.fillText(text, x, y);
      }
    }

    cross([x, y]) {
      const { context: c, unit } = this;
      c.strokeStyle = this.ink.text;
      c.lineWidth = 1.5 * unit;
      c.beginPath();
      c.moveTo(this.px(x) - 10 * unit, this.py(y));
      c.lineTo(this.px(x) + 10 * unit, this.py(y));
      c.moveTo(this.px(x), this.py(y) - 10 * unit);
      c.lineTo(this.px(x), this.py(y) + 10 * unit);
      c.stroke();
    }
  }

  ganref.plane = { Plane, INK };
})();
