// The whole setting of the playground, and its address. What a recipe or tab says is not written
// down: the address holds what a person has changed, so that links stay short and stay true.
(() => {
  const ganref = (globalThis.ganref ??= {});

  const between = (low, high, open = false) => (text) => {
    const x = Number(text);
    const fits = text.trim() !== "" && Number.isFinite(x) && x <= high && (open ? x > low : x >= low);
    return fits ? x : undefined;
  };
  const whole = (low, high) => (text) => {
    const x = between(low, high)(text);
    return Number.isInteger(x) ? x : undefined;
  };
  const oneOf = (...names) => (text) => (names.includes(text) ? text : undefined);
  const flag = (text) => (text === "1" ? true : undefined);

  // Drawn points: two characters a coordinate, in 36² steps over the view. Rounding is done when a
  // point is drawn, so that a link has the very points.
  const GRID = 36 * 36 - 1;
  const MOST_POINTS = 400;
  const pack = (points, view) => points.map(([x, y]) => code(x, view.x, view) + code(y, view.y, view)).join("");
  const code = (value, centre, view) => step(value, centre, view).toString(36).padStart(2, "0");
  const step = (value, centre, view) =>
    Math.min(GRID, Math.max(0, Math.round(((value - centre) / (2 * view.half) + 0.5) * GRID)));
  const onGrid = (value, centre, view) => centre + (step(value, centre, view) / GRID - 0.5) * 2 * view.half;

  function unpack(text, view) {
    if (!/^([0-9a-z]{4})+$/.test(text) || text.length > 4 * MOST_POINTS) return undefined;
    const number = (at) => parseInt(text.slice(at, at + 2), 36) / GRID - 0.5;
    return Array.from({ length: text.length / 4 }, (_, i) => [
      view.x + number(4 * i) * 2 * view.half,
      view.y + number(4 * i + 2) * 2 * view.half,
    ]);
  }

  // The part of the plane that is shown, by recipe: its middle, and half its width.
  const VIEWS = {
    gaussian: { x: 1, y: 2, half: 6.5 },
    ring: { x: 0, y: 0, half: 2.9 },
    collapse: { x: 0, y: 0, half: 2.9 },
  };
  const SPEEDS = ["1", "5", "25", "full"]; // steps per picture

  // What each part of an address may be; anything else in it is passed over.
  const READ = {
    recipe: oneOf("gaussian", "ring", "collapse"),
    tab: oneOf("aligned", "pytorch", "tensorflow", "mxnet"),
    loss: oneOf("bce", "minimax", "least-squares", "hinge"),
    seed: whole(0, 4294967295),
    lr_D: between(0, 10, true),
    lr_G: between(0, 10, true),
    beta1: between(0, 0.99999),
    beta2: between(0, 0.9999999),
    eps: between(0, 1, true),
    batch_size: whole(1, 512),
    D_updates: whole(1, 20),
    G_updates: whole(1, 20),
    real_label: between(0.5, 1),
    start: oneOf("fresh", "pretrained"),
    freeze: oneOf("none", "D", "G"),
    speed: oneOf(...SPEEDS),
    slow: flag,
    play: flag,
    hide: (text) => (/^(heat|arrows|real|fake)(,(heat|arrows|real|fake))*$/.test(text) ? text : undefined),
    points: (text) => text,
  };
  const PLAIN = {
    recipe: "gaussian", tab: "aligned", loss: "bce", seed: 0, D_updates: 1, real_label: 1,
    start: "fresh", freeze: "none", speed: "5", slow: false, play: false, hide: "", points: [],
  };

  // The numbers that the recipe's tab gives, under the names of the settings.
  function defaults(recipe, tab) {
    const spec = ganref.spec.recipes[recipe].tabs[tab];
    const { adam_D, adam_G, batch_size, G_updates } = spec;
    const { beta1, beta2, eps } = adam_D; // both networks have the same in these recipes
    return { ...PLAIN, recipe, tab, lr_D: adam_D.lr, lr_G: adam_G.lr, beta1, beta2, eps, batch_size, G_updates };
  }

  // The setting that an address asks for, from the text behind its "#".
  function parse(hash) {
    const given = new URLSearchParams(hash.replace(/^#/, ""));
    const read = (name) => (given.has(name) ? READ[name](given.get(name)) : undefined);
    const recipe = read("recipe") ?? PLAIN.recipe;
    const asked = read("tab") ?? PLAIN.tab;
    const tab = asked in ganref.spec.recipes[recipe].tabs ? asked : "aligned";
    const settings = defaults(recipe, tab);
    for (const name of Object.keys(READ)) {
      if (name === "recipe" || name === "tab" || name === "points") continue;
      settings[name] = read(name) ?? settings[name];
    }
    settings.points = (given.has("points") && unpack(given.get("points"), VIEWS[recipe])) || [];
    return settings;
  }

  // The text behind "#" for a setting: what differs from the recipe.
  function format(settings) {
    const usual = defaults(settings.recipe, settings.tab);
    const parts = new URLSearchParams();
    for (const name of Object.keys(READ)) {
      const value = settings[name];
      const always = name === "recipe" && value !== PLAIN.recipe;
      if (name === "points") {
        if (value.length) parts.set(name, pack(value, VIEWS[settings.recipe]));
      } else if (always || (name === "tab" ? value !== "aligned" : value !== usual[name])) {
        parts.set(name, value === true ? "1" : String(value));
      }
    }
    return parts.toString();
  }

  // The recipe, in ganref's own terms, that a setting is.
  function recipeOf(settings) {
    const entry = ganref.spec.recipes[settings.recipe];
    const recipe = structuredClone(entry.tabs[settings.tab]);
    const { beta1, beta2, eps, batch_size, G_updates } = settings;
    Object.assign(recipe.adam_D, { lr: settings.lr_D, beta1, beta2, eps });
    Object.assign(recipe.adam_G, { lr: settings.lr_G, beta1, beta2, eps });
    Object.assign(recipe, { batch_size, G_updates, loss: { ...entry.losses[settings.loss] } });
    if ("real_label" in recipe.loss) recipe.loss.real_label = settings.real_label;
    return recipe;
  }

  ganref.settings = { parse, format, defaults, recipeOf, onGrid, READ, VIEWS, SPEEDS, MOST_POINTS };
})();
