// How much of the data the samples meet: modes covered for the ring, by ganref's own definition
// and number of samples; the Fréchet distance for data without known modes.
(() => {
  const ganref = (globalThis.ganref ??= {});
  const { Random, STREAM } = ganref.random;
  const { modesCovered, fit, frechet, toy } = ganref.metrics;
  const { say, number, percent } = ganref.words;

  const NS = "http://www.w3.org/2000/svg";

  class Meter {
    constructor(box, words) {
      this.box = box;
      this.words = words;
      this.cost = 0;
      this.measured = -Infinity;
    }

    watch(session) {
      this.session = session;
      const count = ganref.spec.mode_samples;
      this.net = session.gan.net_G.twin(count);
      new Random(session.settings.seed, STREAM.meter).normals(this.net.input);
      this.count = count;
      this.modes = session.dataName === "ring" ? ganref.spec.data.ring : null;
      const { gaussian } = ganref.spec.data;
      this.real = session.dataName === "gaussian" ? toy(gaussian) : fit(session.points);
      this.measured = -Infinity;
      this.build();
    }

    build() {
      const { box, modes } = this;
      box.replaceChildren();
      box.classList.toggle("bar", !modes);
      this.parts = [];
      if (!modes) {
        this.parts = [box.appendChild(document.createElement("span"))];
        return;
      }
      const svg = box.appendChild(document.createElementNS(NS, "svg"));
      svg.setAttribute("viewBox", "-1.4 -1.4 2.8 2.8");
      svg.setAttribute("aria-hidden", "true");
      for (const [x, y] of modes.centres) {
        const dot = svg.appendChild(document.createElementNS(NS, "circle"));
        for (const [name, value] of [["cx", x / 2], ["cy", -y / 2], ["r", 0.3]]) dot.setAttribute(name, value);
        this.parts.push(dot);
      }
    }

    // Measures at most four times a second, and never for more than a twentieth of the time.
    update(calm) {
      const now = performance.now();
      if (!calm && now - this.measured < Math.max(250, 20 * this.cost)) return;
      this.net.forward(this.count);
      this.modes ? this.showModes() : this.showDistance();
      this.measured = performance.now();
      this.cost = this.measured - now;
    }

    showModes() {
      const { centres, std } = this.modes;
      const found = modesCovered(this.net.output, centres, std);
      this.found = found;
      this.parts.forEach((dot, i) => {
        const share = (found.counts[i] / this.count) * centres.length;
        dot.classList.toggle("met", found.counts[i] > 0);
        dot.style.fillOpacity = found.counts[i] ? 0.3 + 0.7 * Math.min(1, share) : 0;
      });
      this.tell(found.covered, centres.length,
        say("modes", { covered: found.covered, all: centres.length, good: percent(found.good) }));
    }

    showDistance() {
      const distance = frechet(fit(this.net.output), this.real);
      this.found = { distance };
      // From 0.01 to 10, by decades: an untrained G of the toy is at about 10.
      const full = Math.min(1, Math.max(0, (Math.log10(Math.max(distance, 1e-9)) + 2) / 3));
      this.parts[0].style.width = `${100 * full}%`;
      this.tell(Number(distance.toPrecision(3)) || 0, 10, say("frechet", { distance: number(distance) }));
    }

    tell(now, most, words) {
      this.box.setAttribute("aria-valuenow", Math.min(now, most));
      this.box.setAttribute("aria-valuemax", most);
      this.box.setAttribute("aria-valuetext", words);
      this.text = words;
      if (this.words.textContent !== words) this.words.textContent = words;
    }
  }

  ganref.meter = { Meter };
})();
