// A GAN and its two updates, stage by stage, in the order of ganref/numpy/steps.py. The slow motion
// stops between the stages that full speed runs through: there is one arithmetic.
(() => {
  const ganref = (globalThis.ganref ??= {});
  const { Network } = ganref.networks;
  const { KINDS, weight } = ganref.losses;

  // Adam (Kingma and Ba 2015) on all numbers of a network, with the place of epsilon as the tab has
  // it: ganref/spec/optimiser.py.
  class Adam {
    constructor(network, spec) {
      this.network = network;
      this.spec = spec;
      this.steps = 0;
      this.m = new Float64Array(network.flat.length);
      this.v = new Float64Array(network.flat.length);
    }

    step(batch) {
      const { m, v, spec } = this;
      const { flat, grads } = this.network;
      const { beta1, beta2 } = spec;
      this.steps += 1;
      const rate = spec.lr / (1 - beta1 ** this.steps);
      const scale = 1 / Math.sqrt(1 - beta2 ** this.steps);
      const eps = spec.eps_form === "corrected" ? spec.eps : spec.eps * scale;
      const rest1 = 1 - beta1;
      const rest2 = 1 - beta2;
      for (let i = 0; i < flat.length; i++) {
        const g = spec.mean_gradients ? grads[i] / batch : grads[i];
        m[i] = m[i] * beta1 + rest1 * g;
        v[i] = v[i] * beta2 + rest2 * (g * g);
        flat[i] -= (rate * m[i]) / (Math.sqrt(v[i]) * scale + eps);
      }
    }
  }

  class Gan {
    // `recipe` as the spec writes it, `layers` the two networks' layers.
    constructor(recipe, layers) {
      const batch = recipe.batch_size;
      this.recipe = recipe;
      this.batch = batch;
      this.net_G = new Network("generator", layers.generator, batch);
      this.net_D = new Network("discriminator", layers.discriminator, 2 * batch);
      this.trainer_D = new Adam(this.net_D, recipe.adam_D);
      this.trainer_G = new Adam(this.net_G, recipe.adam_G);
      this.kind = KINDS[recipe.loss.kind];
      this.Z = this.net_G.input;
      this.fake_X = this.net_G.output;
      this.dim = this.fake_X.length / batch;
      this.X = this.net_D.input.subarray(0, batch * this.dim); // real examples come first
      // The gradient of L_G to each generated example, of the latest update of G.
      this.d_fake_X = this.net_D.d_input.subarray(0, batch * this.dim);
      this.loss_D = this.loss_G = this.D_x = this.D_G_z = this.D_G_z_after = NaN;
      this.sampled = false; // whether fake_X is of these Z and these weights
    }

    // Goes on with other rates, or another loss.
    change(recipe) {
      this.recipe = recipe;
      this.trainer_D.spec = recipe.adam_D;
      this.trainer_G.spec = recipe.adam_G;
      this.kind = KINDS[recipe.loss.kind];
    }

    // One step on X and Z, which have been written: D, then G on the same Z.
    step() {
      this.updateD();
      for (let i = 0; i < this.recipe.G_updates; i++) this.updateG();
    }

    updateD() {
      this.generate();
      this.judgeBoth();
      this.lossD();
      this.gradientD();
      this.moveD();
    }

    updateG() {
      this.generate();
      this.judgeFake();
      this.lossG();
      this.gradientG();
      this.moveG();
    }

    // To be called when Z has been written.
    drawn() {
      this.sampled = false;
    }

    generate() {
      if (this.sampled) return;
      this.net_G.forward(this.batch);
      this.sampled = true;
    }

    // D on real and generated examples in one pass: nothing in these networks couples examples.
    judgeBoth() {
      const { net_D, batch, dim, fake_X } = this;
      const half = batch * dim;
      for (let i = 0; i < half; i++) net_D.input[half + i] = fake_X[i];
      net_D.forward(2 * batch);
    }

    lossD() {
      const { batch, kind } = this;
      const { loss } = this.recipe;
      const o = this.net_D.output;
      let value = 0, real = 0, fake = 0;
      for (let i = 0; i < batch; i++) {
        value += kind.real(loss, o[i]) + kind.fake(loss, o[batch + i]);
        real += kind.score(o[i]);
        fake += kind.score(o[batch + i]);
      }
      this.loss_D = loss.scale_D * (value * weight(loss, batch));
      this.D_x = real / batch;
      this.D_G_z = fake / batch;
    }

    gradientD() {
      const { batch, kind, net_D } = this;
      const { loss } = this.recipe;
      const each = loss.scale_D * weight(loss, batch);
      const { output: o, d_output: d } = net_D;
      for (let i = 0; i < batch; i++) {
        d[i] = each * kind.slopeReal(loss, o[i]);
        d[batch + i] = each * kind.slopeFake(loss, o[batch + i]);
      }
      net_D.backward(2 * batch, true);
    }

    moveD() {
      this.trainer_D.step(this.batch);
    }

    // D has moved since it judged these examples: it is asked again.
    judgeFake() {
      const { net_D, batch, dim, fake_X } = this;
      for (let i = 0; i < batch * dim; i++) net_D.input[i] = fake_X[i];
      net_D.forward(batch);
    }

    lossG() {
      const { batch, kind } = this;
      const { loss } = this.recipe;
      const o = this.net_D.output;
      let value = 0, fake = 0;
      for (let i = 0; i < batch; i++) {
        value += kind.G(loss, o[i]);
        fake += kind.score(o[i]);
      }
      this.loss_G = value * weight(loss, batch);
      this.D_G_z_after = fake / batch;
    }

    gradientG() {
      const { batch, kind, net_D, net_G } = this;
      const { loss } = this.recipe;
      const each = weight(loss, batch);
      const { output: o, d_output: d } = net_D;
      for (let i = 0; i < batch; i++) d[i] = each * kind.slopeG(loss, o[i]);
      net_D.backward(batch, false);
      for (let i = 0; i < batch * this.dim; i++) net_G.d_output[i] = net_D.d_input[i];
      net_G.backward(batch, true);
    }

    moveG() {
      this.trainer_G.step(this.batch);
      this.sampled = false;
    }

    // [network, its optimiser], in the spec's order.
    parts() {
      return [[this.net_G, this.trainer_G], [this.net_D, this.trainer_D]];
    }

    // A copy of all that training changes, by the spec's names: {name: {shape, values}}; the
    // counts of updates are plain numbers.
    state() {
      const state = {};
      for (const [net, trainer] of this.parts()) {
        for (const [name, shape, first, last] of net.tensors()) {
          state[name] = { shape, values: net.flat.slice(first, last) };
          state[`${name}.m`] = { shape, values: trainer.m.slice(first, last) };
          state[`${name}.v`] = { shape, values: trainer.v.slice(first, last) };
        }
        state[`${net.name}.step`] = trainer.steps;
      }
      return state;
    }

    // Initial weights: {name: an array of numbers in the layout of the spec, or of rows of them}.
    setWeights(weights) {
      for (const [net] of this.parts()) {
        for (const [name, , first] of net.tensors()) {
          const given = weights[name];
          net.flat.set(Array.isArray(given) ? given.flat() : given, first);
        }
      }
      this.sampled = false;
    }
  }

  ganref.gan = { Adam, Gan };
})();
