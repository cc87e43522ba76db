// The layers and their backward passes, as ganref/numpy/layers.py has them, on arrays that are made
// once: a step makes nothing that would have to be cleared away.
(() => {
  const ganref = (globalThis.ganref ??= {});

  // y = W x + b, with W (out, in).
  class Dense {
    constructor(spec) {
      this.n = spec.in_features;
      this.m = spec.out_features;
      this.size = this.n * this.m + this.m; // every Dense of these recipes has a bias
      this.out = this.m;
      this.params = { weight: [this.m, this.n], bias: [this.m] };
    }

    // Four rows, or outputs, at a time: a weight is then fetched once for four products.
    forward(x, y, rows, p) {
      const { n, m } = this;
      const bias = n * m;
      let r = 0;
      for (; r + 3 < rows; r += 4) {
        const x0 = r * n, x1 = x0 + n, x2 = x1 + n, x3 = x2 + n;
        for (let o = 0, w = 0, at = r * m; o < m; o++, at++) {
          let a = 0, b = 0, c = 0, d = 0;
          for (let i = 0; i < n; i++, w++) {
            const weight = p[w];
            a += x[x0 + i] * weight;
            b += x[x1 + i] * weight;
            c += x[x2 + i] * weight;
            d += x[x3 + i] * weight;
          }
          const add = p[bias + o];
          y[at] = a + add;
          y[at + m] = b + add;
          y[at + 2 * m] = c + add;
          y[at + 3 * m] = d + add;
        }
      }
      for (; r < rows; r++) {
        for (let o = 0, w = 0; o < m; o++) {
          let a = 0;
          for (let i = 0; i < n; i++, w++) a += x[r * n + i] * p[w];
          y[r * m + o] = a + p[bias + o];
        }
      }
    }

    // The derivative dx of the input.
    backward(dy, x, y, dx, rows, p) {
      const { n, m } = this;
      for (let r = 0; r < rows; r++) {
        const at = r * n, dr = r * m;
        for (let i = 0; i < n; i++) dx[at + i] = 0;
        let o = 0;
        for (; o + 3 < m; o += 4) {
          const a = dy[dr + o], b = dy[dr + o + 1], c = dy[dr + o + 2], d = dy[dr + o + 3];
          for (let i = 0, w = o * n; i < n; i++, w++) {
            dx[at + i] += a * p[w] + b * p[w + n] + c * p[w + 2 * n] + d * p[w + 3 * n];
          }
        }
        for (; o < m; o++) {
          for (let i = 0, w = o * n; i < n; i++, w++) dx[at + i] += dy[dr + o] * p[w];
        }
      }
    }

    // Adds to the gradients g of the weights.
    gradients(dy, x, rows, g) {
      const { n, m } = this;
      const bias = n * m;
      let r = 0;
      for (; r + 3 < rows; r += 4) {
        const x0 = r * n, x1 = x0 + n, x2 = x1 + n, x3 = x2 + n;
        for (let o = 0, w = 0, at = r * m; o < m; o++, at++) {
          const a = dy[at], b = dy[at + m], c = dy[at + 2 * m], d = dy[at + 3 * m];
          // One after the other, as NumPy adds them up: under the hinge these cancel, and Adam makes a
          // step of what rounding leaves.
          g[bias + o] = g[bias + o] + a + b + c + d;
          for (let i = 0; i < n; i++, w++) {
            g[w] += a * x[x0 + i] + b * x[x1 + i] + c * x[x2 + i] + d * x[x3 + i];
          }
        }
      }
      for (; r < rows; r++) {
        for (let o = 0, w = 0; o < m; o++) {
          const a = dy[r * m + o];
          g[bias + o] += a;
          for (let i = 0; i < n; i++, w++) g[w] += a * x[r * n + i];
        }
      }
    }
  }

  // What every layer without parameters is: the same shape, number by number.
  class Pointwise {
    constructor(spec, out) {
      this.slope = spec.slope;
      this.size = 0;
      this.out = out;
      this.params = {};
    }

    gradients() {}
  }

  class Tanh extends Pointwise {
    forward(x, y, rows) {
      for (let i = 0, n = rows * this.out; i < n; i++) y[i] = Math.tanh(x[i]);
    }

    backward(dy, x, y, dx, rows) {
      for (let i = 0, n = rows * this.out; i < n; i++) dx[i] = dy[i] * (1 - y[i] * y[i]);
    }
  }

  // x where x > 0, else slope * x; the derivative at 0 is the slope.
  class LeakyReLU extends Pointwise {
    forward(x, y, rows) {
      const { slope } = this;
      for (let i = 0, n = rows * this.out; i < n; i++) y[i] = x[i] > 0 ? x[i] : slope * x[i];
    }

    backward(dy, x, y, dx, rows) {
      const { slope } = this;
      for (let i = 0, n = rows * this.out; i < n; i++) dx[i] = x[i] > 0 ? dy[i] : slope * dy[i];
    }
  }

  const LAYERS = { Dense, Tanh, LeakyReLU };

  // A chain of layers for up to so many rows. All its trained numbers lie in one vector, `flat`; a
  // twin shares them, and has room of its own: to look at a network without disturbing it.
  class Network {
    constructor(name, specs, rows, flat = null) {
      this.name = name;
      this.specs = specs;
      this.width = specs[0].in_features;
      this.layers = [];
      let out = this.width;
      let start = 0;
      this.values = [new Float64Array(rows * out)];
      this.slopes = [new Float64Array(rows * out)];
      const starts = specs.map((spec) => {
        const layer = new LAYERS[spec.kind](spec, out);
        this.layers.push(layer);
        out = layer.out;
        this.values.push(new Float64Array(rows * out));
        this.slopes.push(new Float64Array(rows * out));
        start += layer.size;
        return start - layer.size;
      });
      this.flat = flat ?? new Float64Array(start);
      this.grads = new Float64Array(start);
      this.input = this.values[0];
      this.output = this.values[this.layers.length];
      this.d_input = this.slopes[0];
      this.d_output = this.slopes[this.layers.length];
      const part = (array) => (i) => array.subarray(starts[i], starts[i] + this.layers[i].size);
      this.own = this.layers.map((_, i) => part(this.flat)(i));
      this.ownGrads = this.layers.map((_, i) => part(this.grads)(i));
    }

    twin(rows) {
      return new Network(this.name, this.specs, rows, this.flat);
    }

    // `input` (rows, width) to `output`.
    forward(rows) {
      const { layers, values, own } = this;
      for (let i = 0; i < layers.length; i++) {
        layers[i].forward(values[i], values[i + 1], rows, own[i]);
      }
    }

    // Back through the last pass, from `d_output`: `grads` of the weights, or else `d_input`.
    backward(rows, weights) {
      const { layers, values, slopes, own, ownGrads } = this;
      if (weights) this.grads.fill(0);
      for (let i = layers.length - 1; i >= 0; i--) {
        const dy = slopes[i + 1];
        if (weights) layers[i].gradients(dy, values[i], rows, ownGrads[i]);
        if (i || !weights) {
          layers[i].backward(dy, values[i], values[i + 1], slopes[i], rows, own[i]);
        }
      }
    }

    // [name, shape, first, last) of every tensor in `flat`, by the spec's names and order.
    tensors() {
      const found = [];
      let start = 0;
      this.layers.forEach((layer, i) => {
        for (const [name, shape] of Object.entries(layer.params)) {
          const size = shape.reduce((a, b) => a * b);
          found.push([`${this.name}.${i}.${name}`, shape, start, start + size]);
          start += size;
        }
      });
      return found;
    }
  }

  ganref.networks = { Network };
})();
