// A run: a setting, the networks that it trains, and what it draws. It knows nothing of the page.
(() => {
  const ganref = (globalThis.ganref ??= {});
  const { Random, STREAM } = ganref.random;
  const { Gan } = ganref.gan;

  const BUCKETS = 512;

  // The losses of a whole run in constant memory: means over stretches of steps, which are joined
  // in pairs whenever there are too many.
  class History {
    constructor() {
      this.D = new Float64Array(BUCKETS);
      this.G = new Float64Array(BUCKETS);
      this.per = 1; // steps in a stretch
      this.count = 0; // whole stretches
      this.steps = this.sumD = this.sumG = 0;
    }

    add(loss_D, loss_G) {
      this.sumD += loss_D;
      this.sumG += loss_G;
      this.steps += 1;
      if (this.steps < this.per) return;
      this.D[this.count] = this.sumD / this.per;
      this.G[this.count++] = this.sumG / this.per;
      this.steps = this.sumD = this.sumG = 0;
      if (this.count === BUCKETS) this.join();
    }

    join() {
      for (const row of [this.D, this.G]) {
        for (let i = 0; i < BUCKETS / 2; i++) row[i] = (row[2 * i] + row[2 * i + 1]) / 2;
      }
      this.count = BUCKETS / 2;
      this.per *= 2;
    }
  }

  class Session {
    constructor(settings) {
      this.settings = settings;
      this.recipe = ganref.settings.recipeOf(settings);
      const entry = ganref.spec.recipes[settings.recipe];
      this.gan = new Gan(this.recipe, entry);
      this.dataName = settings.points.length ? "drawn" : this.recipe.data;
      this.points = ganref.data.dataset(this.dataName, settings.seed, settings.points);
      this.batches = new ganref.data.Batches(this.points, this.recipe.batch_size, settings.seed);
      this.latent = new Random(settings.seed, STREAM.latent);
      this.history = new History();
      this.steps = 0;
      this.diverged = false;
      this.gan.setWeights(ganref.data.initialWeights(this.gan, settings.seed));
      if (settings.start === "pretrained") this.load(ganref.pretrained[settings.recipe]);
      this.picturedZ = new Random(settings.seed, STREAM.pictures);
      this.optimum = entry.optimum[settings.loss];
    }

    // Goes on under another setting of the same networks, data and batch.
    change(settings) {
      const recipe = ganref.settings.recipeOf(settings);
      this.settings = settings;
      this.optimum = ganref.spec.recipes[settings.recipe].optimum[settings.loss];
      this.recipe = recipe;
      this.gan.change(recipe);
    }

    // Weights that ganref trained. Adam begins anew.
    load(trained) {
      for (const [net] of this.gan.parts()) {
        const bytes = Uint8Array.from(atob(trained[net.name]), (c) => c.charCodeAt(0));
        const view = new DataView(bytes.buffer);
        for (let i = 0; i < net.flat.length; i++) net.flat[i] = view.getFloat32(4 * i, true);
      }
    }

    // What an update of D sees: the next batch of real points, and fresh noise.
    draw() {
      this.batches.fill(this.gan.X);
      this.drawLatent();
    }

    drawLatent() {
      this.latent.normals(this.gan.Z);
      this.gan.drawn();
    }

    // One step: so many updates of D, each on points and noise of its own, then those of G on the
    // last noise. With one of D, it is ganref's step.
    step() {
      const { gan, settings } = this;
      const { freeze } = settings;
      for (let i = 0; i < settings.D_updates && freeze !== "D"; i++) {
        this.draw();
        gan.updateD();
      }
      if (freeze === "D") this.watchD();
      for (let i = 0; i < this.recipe.G_updates && freeze !== "G"; i++) gan.updateG();
      if (freeze === "G") this.watchG();
      this.done();
    }

    // A network that stands still is judged all the same, for the curves.
    watchD() {
      this.draw();
      this.gan.generate();
      this.gan.judgeBoth();
      this.gan.lossD();
    }

    watchG() {
      this.gan.judgeFake();
      this.gan.lossG();
      this.gan.gradientG();
    }

    done() {
      this.steps += 1;
      const { gan } = this;
      this.diverged = !Number.isFinite(gan.loss_D) || !Number.isFinite(gan.loss_G);
      if (!this.diverged) this.history.add(this.perExample(gan.loss_D), this.perExample(gan.loss_G));
    }

    perExample(loss) {
      return ganref.losses.perExample(this.recipe.loss, loss, this.recipe.batch_size);
    }
  }

  ganref.session = { Session };
})();
