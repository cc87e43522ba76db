// The controls: each shows a part of the setting, and asks for another one when it is moved.
(() => {
  const ganref = (globalThis.ganref ??= {});
  const { words } = ganref;
  const { SPEEDS } = ganref.settings;

  const decades = (first, last, digits) => {
    const found = [];
    for (let e = first; e <= last; e++) for (const d of digits) found.push(Number(`${d}e${e}`));
    return found;
  };
  const RATES = decades(-5, -1, [1, 2, 5]).concat(1);

  // What a slider stops at; a link may hold any number between.
  const STOPS = {
    lr_D: RATES,
    lr_G: RATES,
    D_updates: [1, 2, 3, 4, 5, 10],
    G_updates: [1, 2, 3, 4, 5, 10],
    batch_size: [1, 2, 4, 8, 16, 32, 64, 128, 256],
    beta1: [0, 0.2, 0.5, 0.8, 0.9, 0.95, 0.99],
    beta2: [0, 0.5, 0.9, 0.99, 0.999, 0.9999],
    eps: decades(-10, -1, [1]),
    real_label: [0.6, 0.7, 0.8, 0.9, 0.95, 1],
  };
  const LABELS_ONLY = ["bce", "minimax"]; // the losses that smooth labels

  class Controls {
    // `change(part)` is asked for other settings; a part is {name: value}.
    constructor(root, change) {
      this.root = root;
      this.change = change;
      this.ranges = {};
      for (const box of root.querySelectorAll("[data-range]")) this.range(box);
      for (const id of ["tab", "loss", "freeze", "start", "speed"]) {
        this.of(id).addEventListener("change", (event) => change({ [id]: event.target.value }));
      }
      this.of("seed").addEventListener("change", (event) => {
        const seed = ganref.settings.READ.seed(event.target.value);
        seed === undefined ? this.show(this.settings) : change({ seed });
      });
    }

    of(id) {
      return this.root.getElementById(id);
    }

    range(box) {
      const name = box.dataset.range;
      const label = box.appendChild(this.root.createElement("label"));
      const text = label.appendChild(this.root.createElement("span"));
      text.dataset.word = name;
      const output = label.appendChild(this.root.createElement("output"));
      const input = label.appendChild(this.root.createElement("input"));
      input.type = "range";
      input.min = 0;
      input.step = 1;
      input.id = name;
      output.htmlFor = name;
      const part = { input, output, box };
      this.ranges[name] = part;
      input.addEventListener("input", () => this.change({ [name]: part.stops[input.value] }));
    }

    show(settings) {
      this.settings = settings;
      const entry = ganref.spec.recipes[settings.recipe];
      const tabs = Object.keys(entry.tabs);
      this.recipes(settings.recipe);
      this.options("tab", tabs, "tab_");
      this.options("loss", Object.keys(entry.losses), "loss_");
      this.options("freeze", ["none", "D", "G"], "freeze_");
      this.options("start", ["fresh", "pretrained"], "start_");
      this.options("speed", SPEEDS, null);
      this.of("tab").disabled = tabs.length === 1;
      this.of("tab-note").textContent = words.say(`note_${tabs.length === 1 ? "none" : settings.tab}`);
      this.of("seed").value = settings.seed;
      const usual = ganref.settings.defaults(settings.recipe, settings.tab);
      for (const [name, part] of Object.entries(this.ranges)) this.showRange(name, part, settings[name], usual[name]);
      this.ranges.real_label.box.hidden = !LABELS_ONLY.includes(settings.loss);
    }

    showRange(name, { input, output, box }, value, usual) {
      const stops = [...new Set([...STOPS[name], value, usual])].sort((a, b) => a - b);
      this.ranges[name].stops = stops;
      input.max = stops.length - 1;
      input.value = stops.indexOf(value);
      // Rates and ε as people write them in code; the language's comma would mislead there.
      output.textContent = value !== 0 && value < 1e-3 ? value.toExponential() : String(value);
      input.setAttribute("aria-valuetext", output.textContent);
      input.style.setProperty("--full", `${(100 * input.value) / input.max}%`);
      box.classList.toggle("changed", value !== usual);
    }

    options(id, names, prefix) {
      const select = this.of(id);
      const made = names.map((name) => {
        const option = this.root.createElement("option");
        option.value = name;
        option.textContent = prefix ? words.say(prefix + name) : name === "full" ? words.say("speed_full") : name;
        return option;
      });
      select.replaceChildren(...made);
      select.value = this.settings[id];
    }

    recipes(chosen) {
      const box = this.of("recipe");
      const names = Object.keys(ganref.spec.recipes);
      if (!box.children.length) {
        for (const name of names) {
          const button = box.appendChild(this.root.createElement("button"));
          button.id = `recipe-${name}`;
          button.setAttribute("role", "radio");
          button.dataset.word = `recipe_${name}`;
          button.addEventListener("click", () => this.change({ recipe: name }));
        }
        box.addEventListener("keydown", (event) => this.recipeKey(event, names));
      }
      names.forEach((name, i) => {
        const button = box.children[i];
        button.setAttribute("aria-checked", name === chosen);
        button.tabIndex = name === chosen ? 0 : -1; // one stop for the whole group, as radios have
      });
    }

    recipeKey(event, names) {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      const next = (names.indexOf(this.settings.recipe) + step + names.length) % names.length;
      this.change({ recipe: names[next] });
      this.of("recipe").children[next].focus();
    }
  }

  ganref.controls = { Controls };
})();
