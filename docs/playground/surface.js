// What D thinks of every place: a heat map, and the line on which it cannot tell.
(() => {
  const ganref = (globalThis.ganref ??= {});

  // [fake, undecided, real] as red, green and blue. Light and dark pages have their own.
  const COLOURS = {
    light: [[246, 192, 138], [251, 251, 249], [148, 197, 236]],
    dark: [[122, 66, 14], [24, 26, 31], [20, 74, 122]],
  };

  // 256 colours as the 32-bit numbers of an ImageData.
  function palette(theme) {
    const [fake, middle, real] = COLOURS[theme];
    return Uint32Array.from({ length: 256 }, (_, i) => {
      const at = i / 127.5 - 1;
      const [r, g, b] = middle.map((m, k) => Math.round(m + Math.abs(at) * ((at < 0 ? fake : real)[k] - m)));
      return (255 << 24) | (b << 16) | (g << 8) | r;
    });
  }

  class Surface {
    // A grid of size × size places over the view, judged by a twin of D.
    constructor(session, size) {
      this.size = size;
      this.kind = session.gan.kind;
      this.view = ganref.settings.VIEWS[session.settings.recipe];
      this.net = session.gan.net_D.twin(size * size);
      this.belief = new Float64Array(size * size);
      this.image = new ImageData(size, size);
      this.pixels = new Uint32Array(this.image.data.buffer);
      this.canvas = document.createElement("canvas");
      this.canvas.width = this.canvas.height = size;
      const { x, y, half } = this.view;
      for (let row = 0, i = 0; row < size; row++) {
        for (let column = 0; column < size; column++) {
          this.net.input[i++] = x + half * ((2 * column + 1) / size - 1);
          this.net.input[i++] = y - half * ((2 * row + 1) / size - 1);
        }
      }
    }

    judge() {
      const { net, belief, kind, size } = this;
      net.forward(size * size);
      for (let i = 0; i < belief.length; i++) belief[i] = kind.belief(net.output[i]);
    }

    paint(context, side, theme) {
      if (this.theme !== theme) [this.theme, this.colours] = [theme, palette(theme)];
      const { belief, pixels, colours, canvas } = this;
      for (let i = 0; i < belief.length; i++) pixels[i] = colours[(belief[i] * 255) | 0];
      canvas.getContext("2d").putImageData(this.image, 0, 0);
      context.imageSmoothingEnabled = true;
      context.imageSmoothingQuality = "high";
      context.drawImage(canvas, 0, 0, side, side);
    }

    // The line of belief 1/2, cell by cell between the middles of four places (marching squares).
    trace(context, side) {
      const { belief, size } = this;
      const cell = side / size;
      context.beginPath();
      for (let row = 0; row + 1 < size; row++) {
        for (let column = 0; column + 1 < size; column++) {
          const i = row * size + column;
          const first = belief[i] > 0.5;
          if (first === belief[i + 1] > 0.5 && first === belief[i + size] > 0.5
            && first === belief[i + size + 1] > 0.5) continue; // as nearly everywhere
          const corners = [belief[i], belief[i + 1], belief[i + size + 1], belief[i + size]];
          let pen = false;
          for (let k = 0; k < 4; k++) {
            const a = corners[k] - 0.5, b = corners[(k + 1) % 4] - 0.5;
            if (a > 0 === b > 0) continue;
            const t = a / (a - b);
            const x = column + 0.5 + [t, 1, 1 - t, 0][k];
            const y = row + 0.5 + [0, t, 1, 1 - t][k];
            pen ? context.lineTo(x * cell, y * cell) : context.moveTo(x * cell, y * cell);
            pen = !pen;
          }
        }
      }
      context.stroke();
    }
  }

  ganref.surface = { Surface };
})();
