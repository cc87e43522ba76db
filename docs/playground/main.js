// The page: one setting, one session, and what a person can do to both.
(() => {
  const ganref = (globalThis.ganref ??= {});
  const { words, settings: S } = ganref;
  const { say, number } = words;
  const $ = (id) => document.getElementById(id);

  // Changes of these begin a new run; of the others, the run goes on with other numbers.
  const ANEW = ["recipe", "tab", "batch_size", "seed", "start", "points"];
  const LAYERS = ["real", "fake", "heat", "arrows"];

  let settings = S.parse(location.hash);
  let session;
  const plane = new ganref.plane.Plane($("plane"));
  const chart = new ganref.chart.Chart($("chart"));
  const stage = new ganref.stages.Stage($("stages"), $("caption"));
  const meter = new ganref.meter.Meter($("meter"), $("meter-words"));
  const controls = new ganref.controls.Controls(document, change);
  const drawing = new ganref.drawing.Drawing(plane, drawn, () => draw(false));
  const player = new ganref.player.Player({ picture, stage: () => stage.next(session), stopped });
  const theme = ganref.theme.watch($("theme"), () => player.refresh());

  const hidden = () => new Set(settings.hide.split(",").filter(Boolean));

  // The same recipe's numbers unless the person says otherwise; another recipe or tab has its own.
  function change(part) {
    const was = settings;
    if ("recipe" in part || "tab" in part) {
      if (drawing.on) draw(false); // another recipe is another part of the plane
      const recipe = part.recipe ?? was.recipe;
      const { loss, seed, start, freeze, speed, slow, play, hide } = was;
      const tab = recipe === "gaussian" ? part.tab ?? was.tab : "aligned";
      const kept = { loss, seed, start, freeze, speed, slow, play, hide };
      settings = { ...S.defaults(recipe, tab), ...kept };
      if (recipe === was.recipe) settings.points = was.points;
    } else {
      settings = { ...was, ...part };
    }
    apply(ANEW.some((name) => settings[name] !== was[name]));
  }

  function apply(anew) {
    anew ? reset() : follow();
    controls.show(settings);
    address();
    showLayers();
    if (player.playing !== settings.play) play(settings.play);
    $("slow").setAttribute("aria-pressed", settings.slow);
    $("clear").hidden = !settings.points.length;
    player.refresh();
  }

  // A run that goes on with other numbers: they are read at every step.
  function follow() {
    if (!settings.slow) stage.finish();
    session.change(settings);
  }

  function reset() {
    stage.end();
    session = new ganref.session.Session(settings);
    plane.watch(session);
    meter.watch(session);
    player.watch(session);
    player.forget();
    tell(say("ready", { steps: number(0) }));
  }

  function address() {
    const text = S.format({ ...settings, play: false });
    history.replaceState(null, "", text ? `#${text}` : location.href.split("#")[0]);
  }

  function play(on) {
    settings = { ...settings, play: on };
    $("play").textContent = say(on ? "pause" : "play");
    $("play").setAttribute("aria-pressed", on);
    document.body.classList.toggle("playing", on);
    if (player.playing === on) return;
    player.play(on);
    if (!on) report();
  }

  function step() {
    play(false);
    if (settings.slow) stage.next(session);
    else session.step();
    player.refresh();
    session.diverged ? stopped() : report();
  }

  function stopped() {
    play(false);
    tell(say("diverged"));
  }

  function losses() {
    const { gan } = session;
    return { D: number(session.perExample(gan.loss_D)), G: number(session.perExample(gan.loss_G)) };
  }

  function report() {
    meter.update(true);
    tell(say("paused", { steps: number(session.steps, 9), ...losses(), meter: meter.text }));
  }

  const tell = (text) => ($("status").textContent = text);

  // Everything that is to be seen, as it is now.
  function picture() {
    const calm = !player.playing;
    const marks = settings.slow && stage.now ? stage.now.marks : null;
    plane.draw({ theme: theme(), hidden: hidden(), marks, cross: drawing.cross, calm });
    chart.draw(session, theme());
    meter.update(calm);
    const { D, G } = losses();
    const steps = number(session.steps, 9);
    $("steps").textContent = steps;
    $("loss-D").textContent = D;
    $("loss-G").textContent = G;
    if (player.rate && player.playing && !settings.slow) {
      const { steps, pictures } = player.rate;
      $("rate").textContent = say("rate", { steps: number(Math.round(steps), 6), pictures: number(pictures, 2) });
    } else if (!player.playing) $("rate").textContent = "";
    if (calm) {
      const real = number(session.points.length / 2, 6);
      $("plane").setAttribute("aria-label", say("plane", { steps, real, meter: meter.text }));
      $("chart").setAttribute("aria-label", say("chart", { steps, D, G }));
    }
  }

  function showLayers() {
    const off = hidden();
    for (const box of document.querySelectorAll("[data-layer]")) box.checked = !off.has(box.dataset.layer);
  }

  function layer(name, on = hidden().has(name)) {
    const off = hidden();
    on ? off.delete(name) : off.add(name);
    change({ hide: LAYERS.filter((one) => off.has(one)).join(",") });
  }

  function draw(on) {
    $("draw").setAttribute("aria-pressed", on);
    if (on) {
      play(false);
      drawing.begin(settings);
      tell(say("drawing"));
    } else {
      drawing.end();
      $("draw").focus();
      tell(say("ready", { steps: number(session.steps, 9) }));
    }
    player.refresh();
  }

  function drawn(points, anew) {
    if (anew) {
      change({ points: points.slice(), play: false });
      tell(say("drawn", { count: points.length, most: S.MOST_POINTS }));
    }
    player.refresh();
  }

  function language() {
    ganref.sharing.language();
    speak();
  }

  function speak() {
    words.show(document);
    $("play").textContent = say(player.playing ? "pause" : "play");
    if (!stage.running) stage.end();
    controls.show(settings);
    ganref.keys.list($("key-list"));
    meter.update(true);
    player.refresh();
  }

  const actions = {
    play: () => play(!player.playing),
    step,
    reset: () => (reset(), player.refresh()),
    slow: () => change({ slow: !settings.slow }),
    draw: () => draw(!drawing.on),
    clear: () => (drawing.end(), change({ points: [] })),
    full: () => change({ speed: settings.speed === "full" ? "5" : "full" }),
    heat: () => layer("heat"),
    arrows: () => layer("arrows"),
    link: async () => tell(await ganref.sharing.link()),
    download: async () => (stage.finish(), tell(await ganref.sharing.download(session))),
    check: () => tell(ganref.sharing.check()),
    usual: () => change({ tab: settings.tab }),
    theme: () => $("theme").click(),
    language,
    help: () => $("keys").showModal(),
    close: () => $("keys").close(),
  };
  for (const name of ["play", "step", "reset", "slow", "draw", "clear", "link", "download", "check",
    "usual", "language", "help", "close"]) $(name).addEventListener("click", actions[name]);
  for (const box of document.querySelectorAll("[data-layer]")) {
    box.addEventListener("change", () => layer(box.dataset.layer, box.checked));
  }
  ganref.keys.listen(document, actions);
  addEventListener("hashchange", () => {
    settings = S.parse(location.hash);
    apply(true);
  });
  addEventListener("resize", () => player.refresh());
  new ResizeObserver(() => player.refresh()).observe($("plane"));

  apply(true);
  speak();
  ganref.page = { actions, change, get session() { return session; }, get settings() { return settings; }, player, meter, plane, stage };
})();
