// Data that are drawn: the spec's distributions, points that a person has drawn by hand, batches
// of either, and initial weights.
(() => {
  const ganref = (globalThis.ganref ??= {});
  const { Random, STREAM } = ganref.random;

  // Points of a set as one array (n * 2). X A + b with X ~ N(0, I), or a mixture of equal weights.
  const SETS = {
    gaussian({ size, A, B }, random) {
      const points = new Float64Array(2 * size);
      for (let i = 0; i < size; i++) {
        const u = random.normal(), v = random.normal();
        points[2 * i] = u * A[0][0] + v * A[1][0] + B[0];
        points[2 * i + 1] = u * A[0][1] + v * A[1][1] + B[1];
      }
      return points;
    },
    ring({ size, centres, std }, random) {
      const points = new Float64Array(2 * size);
      for (let i = 0; i < size; i++) {
        const [x, y] = centres[random.below(centres.length)];
        points[2 * i] = x + std * random.normal();
        points[2 * i + 1] = y + std * random.normal();
      }
      return points;
    },
  };

  // The points of a data set of the spec by name, or those that were drawn by hand.
  function dataset(name, seed, drawn) {
    if (name === "drawn") return Float64Array.from(drawn.flat());
    return SETS[name](ganref.spec.data[name], new Random(seed, STREAM.data));
  }

  // Goes through the points in an order of its own each epoch; the rows that do not fill a last
  // batch wait. Fewer points than a batch are drawn with replacement.
  class Batches {
    constructor(points, batch, seed) {
      this.points = points;
      this.batch = batch;
      this.random = new Random(seed, STREAM.order);
      this.order = Uint32Array.from({ length: points.length / 2 }, (_, i) => i);
      this.next = this.order.length; // an epoch begins with a new order
    }

    fill(X) {
      const { points, order, batch, random } = this;
      const few = order.length < batch;
      if (!few && this.next + batch > order.length) {
        random.shuffle(order);
        this.next = 0;
      }
      for (let i = 0; i < batch; i++) {
        const row = few ? random.below(order.length) : order[this.next++];
        X[2 * i] = points[2 * row];
        X[2 * i + 1] = points[2 * row + 1];
      }
    }
  }

  const DRAWS = {
    constant: (draw) => () => draw.mean,
    normal: (draw, random) => () => draw.mean + draw.scale * random.normal(),
    uniform_fan_in: (draw, random, n) => uniform(random, n),
    glorot_uniform: (draw, random, n, m) => uniform(random, (n + m) / 6),
  };

  function uniform(random, fans) {
    const bound = 1 / Math.sqrt(fans);
    return () => bound * (2 * random.uniform() - 1);
  }

  // Initial weights of both networks, as the recipe says: ganref/draws/weights.py with other draws.
  function initialWeights(gan, seed) {
    const random = new Random(seed, STREAM.weights);
    const weights = {};
    const inits = [gan.recipe.init_G, gan.recipe.init_D];
    gan.parts().forEach(([net], which) => {
      for (const [name, shape, first, last] of net.tensors()) {
        const [, index, role] = name.split(".");
        const { in_features: n, out_features: m } = net.specs[index];
        const draw = inits[which][role];
        const next = DRAWS[draw.kind](draw, random, n, m);
        weights[name] = Float64Array.from({ length: last - first }, next);
      }
    });
    return weights;
  }

  ganref.data = { dataset, Batches, initialWeights };
})();
