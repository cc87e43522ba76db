// Slow motion: one step of a session in its stages. Each stage is the call that full speed makes,
// then what to say, which parts of the diagram are at work, and what the plane shows of the batch.
(() => {
  const ganref = (globalThis.ganref ??= {});
  const { say, number } = ganref.words;
  const { weight } = ganref.losses;

  const norm = (array) => Math.sqrt(array.reduce((sum, x) => sum + x * x, 0));

  function distance(a, b) {
    return Math.sqrt(a.reduce((sum, x, i) => sum + (x - b[i]) ** 2, 0));
  }

  // The stages of one step. Whoever goes through all of them has made the step.
  function* stages(session) {
    const { gan, settings } = session;
    if (settings.freeze === "D") {
      session.watchD();
      yield { name: "still_D", words: say("still_D"), lit: "z zG G Gf fake", marks: fakes(gan) };
    } else {
      for (let i = 0; i < settings.D_updates; i++) yield* updateD(session);
    }
    if (settings.freeze === "G") {
      session.watchG();
      yield { name: "still_G", words: say("still_G"), lit: "", marks: fakes(gan) };
    } else {
      for (let i = 0; i < session.recipe.G_updates; i++) yield* updateG(session);
    }
    session.done();
  }

  function* updateD(session) {
    const { gan } = session;
    const { batch, net_D } = gan;
    const real = gan.X.slice();
    const both = (more) => ({ real, fake: gan.fake_X, count: batch, ...more });
    session.draw();
    real.set(gan.X); // D's input is written over when it judges for G
    yield { name: "draw_D", words: say("draw_D", { batch }), lit: "z x", marks: { real, count: batch } };
    gan.generate();
    yield { name: "generate", words: say("generate"), lit: "z zG G Gf fake", marks: both() };
    gan.judgeBoth();
    gan.lossD();
    const scores = scoresOf(gan, batch);
    const means = { real: number(gan.D_x), fake: number(gan.D_G_z) };
    yield { name: "judge_D", words: say("judge_D", means), lit: "x xD fake fD D", marks: both({ scores }) };
    const loss = number(session.perExample(gan.loss_D));
    yield { name: "loss_D", words: say("loss_D", { loss }), lit: "D DL loss", marks: both({ scores }) };
    gan.gradientD();
    const count = number(net_D.flat.length, 6);
    const words = say("gradient_D", { count, norm: number(norm(net_D.grads)) });
    yield { name: "gradient_D", words, lit: "loss DL D", back: true, marks: both() };
    const kept = net_D.flat.slice();
    gan.moveD();
    const move = number(distance(kept, net_D.flat));
    yield { name: "move_D", words: say("move_D", { move }), lit: "D", move: true, marks: both() };
  }

  function* updateG(session) {
    const { gan } = session;
    const { batch, net_G } = gan;
    gan.generate();
    yield { name: "generate_G", words: say("generate_G", { batch }), lit: "z zG G Gf fake", marks: fakes(gan) };
    gan.judgeFake();
    gan.lossG();
    const scores = { fake: scoresOf(gan, 0).fake };
    const judged = say("judge_G", { fake: number(gan.D_G_z_after) });
    yield { name: "judge_G", words: judged, lit: "fake fD D", marks: fakes(gan, { scores }) };
    const loss = number(session.perExample(gan.loss_G));
    yield { name: "loss_G", words: say("loss_G", { loss }), lit: "D DL loss", marks: fakes(gan, { scores }) };
    gan.gradientG();
    const pull = { slopes: gan.d_fake_X, factor: 1 / weight(gan.recipe.loss, batch) };
    yield {
      name: "gradient_G", words: say("gradient_G"), lit: "loss DL D fD fake Gf G", back: true,
      marks: fakes(gan, pull),
    };
    const kept = net_G.flat.slice(), before = gan.fake_X.slice();
    gan.moveG();
    gan.generate(); // where the same noise comes out now: the next draw makes it again
    const words = say("move_G", { move: number(distance(kept, net_G.flat)) });
    yield { name: "move_G", words, lit: "G", move: true, marks: fakes(gan, { before }) };
  }

  const fakes = (gan, more) => ({ fake: gan.fake_X, count: gan.batch, ...more });

  // D's scores of the batch as they were at this stage.
  function scoresOf(gan, offset) {
    const output = gan.net_D.output.slice();
    const score = (at) => (i) => gan.kind.score(output[at + i]);
    return { real: score(0), fake: score(offset) };
  }

  // Lights the diagram, and says what happens.
  class Stage {
    constructor(root, caption) {
      this.parts = root.querySelectorAll("[data-node], [data-wire]");
      this.root = root;
      this.caption = caption;
      this.end();
    }

    begin(session) {
      this.session = session;
      this.running = stages(session);
    }

    // The next stage, of the next step if need be. Whether it began a step.
    next(session) {
      if (!this.running || this.session !== session) this.begin(session);
      let stage = this.running.next();
      if (stage.done) {
        this.begin(session);
        stage = this.running.next();
      }
      this.show(stage.value);
    }

    // Makes a step that was begun whole.
    finish() {
      if (this.running) for (const _ of this.running);
      this.end();
    }

    end() {
      this.running = null;
      this.now = null;
      this.light("");
      this.say(say("idle"));
    }

    show(stage) {
      this.now = stage;
      this.light(stage.lit, stage);
      this.root.dataset.stage = stage.name;
      this.say(stage.words);
    }

    say(words) {
      this.caption.textContent = words;
    }

    light(lit, { back = false, move = false } = {}) {
      const on = new Set(lit.split(" "));
      delete this.root.dataset.stage;
      this.root.classList.toggle("back", back);
      this.root.classList.toggle("move", move);
      for (const el of this.parts) el.classList.toggle("on", on.has(el.dataset.node ?? el.dataset.wire));
    }
  }

  ganref.stages = { stages, Stage };
})();
