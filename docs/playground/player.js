// Time: how many steps are made between two pictures, and how many of each a second has.
(() => {
  const ganref = (globalThis.ganref ??= {});

  // Milliseconds from one picture to the next at full speed: two of a screen's 60 Hz, with some left
  // over. Training has what drawing leaves of them.
  const FRAME = 20;
  const LEAST = 8;
  const STAGE = 1800; // milliseconds of a stage in slow motion
  const CHECK = 2; // milliseconds of training between two looks at the clock, about

  class Player {
    // `picture()` draws, `stage()` goes on in slow motion, `stopped()` is told when a run diverges.
    constructor({ picture, stage, stopped }) {
      Object.assign(this, { picture, stage, stopped });
      this.playing = this.queued = this.dirty = false;
      this.chunk = 1; // steps between two looks at the clock
      this.drawn = 0; // pictures so far
      this.cost = 0; // milliseconds that a picture takes, lately
      this.forget();
    }

    watch(session) {
      this.session = session;
      this.chunk = 1;
      this.refresh();
    }

    // The page needs a picture, whether or not anything trains.
    refresh() {
      this.dirty = true;
      this.queue();
    }

    play(on) {
      this.playing = on;
      this.forget();
      this.nextStage = 0;
      this.refresh();
    }

    // Counting begins again.
    forget() {
      this.since = performance.now();
      this.made = this.pictures = 0;
      this.rate = null;
    }

    queue() {
      if (this.queued) return;
      this.queued = true;
      requestAnimationFrame((now) => this.frame(now));
    }

    frame(now) {
      this.queued = false;
      if (this.playing && this.train(now)) this.dirty = true;
      if (this.dirty) {
        this.dirty = false;
        this.count();
        const before = performance.now();
        this.picture();
        this.cost += 0.2 * (performance.now() - before - this.cost);
      }
      if (this.playing) this.queue();
    }

    // Whether there is something new to see.
    train(now) {
      const { session } = this;
      const { settings } = session;
      if (settings.slow) {
        if (now < this.nextStage) return false;
        this.nextStage = now + STAGE;
        this.stage();
      } else {
        this.made += this.steps(settings.speed === "full" ? Infinity : Number(settings.speed));
      }
      if (session.diverged) this.stopped();
      return true;
    }

    // At most so many steps, as many as the time for them allows: how many.
    steps(most) {
      const { session } = this;
      const start = performance.now();
      const budget = Math.max(LEAST, FRAME - 1.5 * this.cost);
      let made = 0;
      for (;;) {
        const before = performance.now();
        const count = Math.min(this.chunk, most - made);
        for (let i = 0; i < count && !session.diverged; i++) session.step();
        made += count;
        const after = performance.now();
        if (after - before < CHECK / 2) this.chunk = Math.min(2 * this.chunk, 4096);
        else if (after - before > CHECK) this.chunk = Math.max(1, this.chunk >> 1);
        if (made >= most || after - start > budget || session.diverged) return made;
      }
    }

    count() {
      this.pictures += 1;
      this.drawn += 1;
      const now = performance.now();
      const seconds = (now - this.since) / 1000;
      if (seconds < 1) return;
      this.rate = { steps: this.made / seconds, pictures: this.pictures / seconds };
      this.since = now;
      this.made = this.pictures = 0;
    }
  }

  ganref.player = { Player };
})();
