// The numbers that the playground draws for itself: xoshiro128** (Blackman and Vigna 2018), seeded
// through splitmix32, and Box-Muller for normal numbers. The same seed gives the same run in the
// same browser; ganref's own draws come from Philox in NumPy, so its runs are others.
(() => {
  const ganref = (globalThis.ganref ??= {});

  // Streams, so that a picture takes nothing from training. A number is never given twice.
  const STREAM = { weights: 1, data: 2, order: 3, latent: 4, pictures: 5, meter: 6 };

  class Random {
    constructor(seed, stream) {
      let h = (seed ^ Math.imul(stream, 0x9e3779b9)) >>> 0;
      const next = () => {
        h = (h + 0x9e3779b9) | 0;
        let t = Math.imul(h ^ (h >>> 16), 0x21f0aaad);
        t = Math.imul(t ^ (t >>> 15), 0x735a2d97);
        return t ^ (t >>> 15);
      };
      this.state = Int32Array.of(next(), next(), next(), next());
      this.spare = 0;
      this.hasSpare = false;
    }

    // 32 random bits, as a signed integer.
    bits() {
      const s = this.state;
      const a = Math.imul(s[1], 5);
      const result = Math.imul((a << 7) | (a >>> 25), 9);
      const t = s[1] << 9;
      s[2] ^= s[0];
      s[3] ^= s[1];
      s[1] ^= s[2];
      s[0] ^= s[3];
      s[2] ^= t;
      s[3] = (s[3] << 11) | (s[3] >>> 21);
      return result;
    }

    // A number in [0, 1) with 53 random bits.
    uniform() {
      return ((this.bits() >>> 5) * 67108864 + (this.bits() >>> 6)) / 9007199254740992;
    }

    // A whole number in [0, n).
    below(n) {
      return Math.floor(this.uniform() * n);
    }

    // A number of N(0, 1).
    normal() {
      if (this.hasSpare) {
        this.hasSpare = false;
        return this.spare;
      }
      const radius = Math.sqrt(-2 * Math.log(1 - this.uniform())); // 1 - u is never 0
      const angle = 2 * Math.PI * this.uniform();
      this.spare = radius * Math.sin(angle);
      this.hasSpare = true;
      return radius * Math.cos(angle);
    }

    normals(out) {
      for (let i = 0; i < out.length; i++) out[i] = this.normal();
      return out;
    }

    // Shuffles whole numbers in place (Fisher and Yates).
    shuffle(order) {
      for (let i = order.length - 1; i > 0; i--) {
        const j = this.below(i + 1);
        const kept = order[i];
        order[i] = order[j];
        order[j] = kept;
      }
      return order;
    }
  }

  ganref.random = { Random, STREAM };
})();
