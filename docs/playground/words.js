// Every word that the page shows, in each of its languages, and numbers as these write them.
(() => {
  const ganref = (globalThis.ganref ??= {});

  const en = {
    title: "The playground", home: "ganref: to the first page", language: "Français",
    language_label: "Français: change the language", theme: "Dark", help: "Keys",
    link: "Copy link", link_hint: "The address holds the whole setting (C)",
    linked: "The link is copied: it holds the whole setting.",
    unlinked: "The link is in the address bar.",
    recipe: "What is learned", recipe_gaussian: "A Gaussian", recipe_ring: "Ring of eight",
    recipe_collapse: "A ring that collapses",
    run: "Run", play: "Play", pause: "Pause", step: "Step",
    step_hint: "One update of D and G (right arrow); in slow motion one stage", reset: "Reset",
    reset_hint: "To the first weights of this seed (R)", slow: "Slow motion",
    slow_hint: "Each update in its stages (S)", speed: "Steps/picture", speed_full: "full speed",
    seed: "Seed", start: "Start", start_fresh: "fresh", start_pretrained: "pretrained",
    steps: "steps", rate: "{steps} steps/s, {pictures} pictures/s",
    settings: "Settings", tab: "Semantics", tab_aligned: "aligned", tab_pytorch: "PyTorch tab",
    tab_tensorflow: "TensorFlow tab", tab_mxnet: "MXNet tab",
    note_aligned: "As all backends of ganref have it.",
    note_pytorch: "d2l's PyTorch code: biases are drawn from N(0, 0.02) too.",
    note_tensorflow: "d2l's TensorFlow code: ε is 1e-7 and outside the correction; G starts wide, from Glorot's weights.",
    note_mxnet: "d2l's MXNet code: ε outside the correction, and mean gradients, so that it counts more.",
    note_none: "Only the Gaussian has tabs: the ring is ganref's own.",
    loss: "Loss", loss_bce: "cross-entropy", loss_minimax: "cross-entropy, minimax G",
    "loss_least-squares": "least squares", loss_hinge: "hinge",
    lr_D: "Rate of D", lr_G: "Rate of G", D_updates: "Updates of D per step",
    G_updates: "Updates of G per step", batch_size: "Batch size", beta1: "Adam's β₁",
    beta2: "Adam's β₂", eps: "Adam's ε", real_label: "Label of real points",
    freeze: "Stands still", freeze_none: "neither", freeze_D: "D", freeze_G: "G",
    usual: "Recipe's own", usual_hint: "All numbers as the recipe and its tab say", download: "Weights",
    download_hint: "Downloads a checkpoint that `ganref sample` opens (W)",
    downloaded: "{file}: open it with `ganref sample {file}`.",
    undownloaded: "This browser computes a checksum only on https, on localhost or from disk.",
    check: "Same numbers?", check_hint: "125 steps on ganref's own weights and draws, against NumPy",
    checked: "125 steps on ganref's weights and draws: the losses are at most {difference} from NumPy's (relative).",
    view: "The plane", plane: "Step {steps}. {real} real points, in blue; generated points, in orange; the background is D's opinion, blue for real. {meter}",
    layers: "What is shown", real: "real", fake: "generated", heat: "D's opinion",
    arrows: "pull on G", draw: "Draw data",
    draw_hint: "With mouse or finger, or with the arrow keys and Enter (D)", clear: "Recipe's data",
    drawing: "Draw where real points are to be, with mouse or finger; or move the cross with the arrow keys, Enter sets points, Backspace takes them away. Escape ends.",
    drawn: "{count} points of {most}",
    side: "Curves and meters", losses: "Loss per example",
    chart: "Losses per example over {steps} steps: D {D}, G {G}.", meter: "Collapse",
    modes: "{covered} of {all} modes covered; {good} of the samples within 3σ of one",
    frechet: "Fréchet distance to the data: {distance}",
    diagram: "z goes through G to G(z); real x and G(z) go through D to the loss",
    idle: "Slow motion shows what happens in one update.",
    draw_D: "Update of D: {batch} real points x, and as many z of noise.",
    generate: "G makes G(z) from the noise. It is not being trained now.",
    judge_D: "D judges both: {real} for the real ones on average, {fake} for the generated.",
    loss_D: "D's loss is {loss} per example: it falls when D tells them apart.",
    gradient_D: "Backwards through D: a gradient for each of its {count} weights, {norm} in all.",
    move_D: "Adam moves D, by {move} in all: the background changes, no point does.",
    still_D: "D stands still. G is judged by the D that is there.",
    generate_G: "Update of G: the same z. {batch} points G(z), as before.",
    judge_G: "D has moved, so it is asked again: {fake} for the generated ones.",
    loss_G: "G's loss is {loss} per example: it falls when D takes its points for real.",
    gradient_G: "Backwards through D, which stays, to the points: arrows show where each should go.",
    move_G: "Adam moves G, by {move} in all: the points have moved, D has not.",
    still_G: "G stands still.",
    diverged: "The losses are no longer finite: reset, or choose smaller rates.",
    ready: "Ready, at step {steps}.", paused: "Paused at step {steps}: loss of D {D}, of G {G}. {meter}",
    keys: "Keys", close: "Close", key_space: "play or pause", key_right: "one step, or one stage",
    key_r: "reset", key_s: "slow motion", key_d: "draw data", key_f: "full speed, or 5 steps per picture",
    key_h: "D's opinion", key_a: "arrows", key_c: "copy the link", key_w: "download the weights",
    key_t: "light or dark", key_l: "language", key_help: "these keys",
    about: "Everything is computed here, in double precision, by the formulas of ganref: from the same weights and draws its first 125 steps are NumPy's to 1e-12, which is tested for each tab and loss. For play it draws its own random numbers (xoshiro128**, Box-Muller) from the seed. Nothing leaves this page.",
  };

  const fr = {
    title: "Le laboratoire", home: "ganref : vers la première page", language: "English",
    language_label: "English : changer de langue", theme: "Sombre", help: "Touches",
    link: "Copier le lien", link_hint: "L'adresse contient tous les réglages (C)",
    linked: "Le lien est copié : il contient tous les réglages.",
    unlinked: "Le lien est dans la barre d'adresse.",
    recipe: "Ce qui est appris", recipe_gaussian: "Une gaussienne", recipe_ring: "Anneau de huit",
    recipe_collapse: "Un anneau qui s'effondre",
    run: "Exécution", play: "Lancer", pause: "Pause", step: "Un pas",
    step_hint: "Une mise à jour de D et de G (flèche droite) ; au ralenti, une étape",
    reset: "Au début", reset_hint: "Aux premiers poids de cette graine (R)", slow: "Ralenti",
    slow_hint: "Chaque mise à jour en ses étapes (S)", speed: "Pas/image", speed_full: "à fond",
    seed: "Graine", start: "Départ", start_fresh: "neuf", start_pretrained: "préentraîné",
    steps: "pas", rate: "{steps} pas/s, {pictures} images/s",
    settings: "Réglages", tab: "Sémantique", tab_aligned: "alignée", tab_pytorch: "onglet PyTorch",
    tab_tensorflow: "onglet TensorFlow", tab_mxnet: "onglet MXNet",
    note_aligned: "Celle de tous les moteurs de ganref.",
    note_pytorch: "Le code PyTorch de d2l : les biais aussi sont tirés selon N(0, 0,02).",
    note_tensorflow: "Le code TensorFlow de d2l : ε vaut 1e-7, hors de la correction ; G part large, des poids de Glorot.",
    note_mxnet: "Le code MXNet de d2l : ε hors de la correction, et des gradients moyens, si bien qu'il compte davantage.",
    note_none: "Seule la gaussienne a des onglets : l'anneau est propre à ganref.",
    loss: "Perte", loss_bce: "entropie croisée", loss_minimax: "entropie croisée, G minimax",
    "loss_least-squares": "moindres carrés", loss_hinge: "charnière",
    lr_D: "Taux de D", lr_G: "Taux de G", D_updates: "Mises à jour de D par pas",
    G_updates: "Mises à jour de G par pas", batch_size: "Taille du lot", beta1: "β₁ d'Adam",
    beta2: "β₂ d'Adam", eps: "ε d'Adam", real_label: "Étiquette des vrais points",
    freeze: "Immobile", freeze_none: "aucun", freeze_D: "D", freeze_G: "G",
    usual: "La recette", usual_hint: "Tous les nombres comme le disent la recette et son onglet", download: "Poids",
    download_hint: "Télécharge un point de reprise que `ganref sample` ouvre (W)",
    downloaded: "{file} : à ouvrir avec `ganref sample {file}`.",
    undownloaded: "Ce navigateur ne calcule une somme de contrôle qu'en https, sur localhost ou depuis le disque.",
    check: "Mêmes nombres ?", check_hint: "125 pas avec les poids et tirages de ganref, contre NumPy",
    checked: "125 pas avec les poids et tirages de ganref : les pertes sont à {difference} au plus de celles de NumPy (relatif).",
    view: "Le plan", plane: "Pas {steps}. {real} points vrais, en bleu ; points générés, en orange ; le fond est l'avis de D, bleu pour vrai. {meter}",
    layers: "Ce qui est montré", real: "vrais", fake: "générés", heat: "avis de D",
    arrows: "force sur G", draw: "Dessiner",
    draw_hint: "À la souris ou au doigt, ou avec les flèches et Entrée (D)", clear: "Données de la recette",
    drawing: "Dessinez où doivent être les vrais points, à la souris ou au doigt ; ou déplacez la croix avec les flèches, Entrée pose des points, Retour arrière les enlève. Échap termine.",
    drawn: "{count} points sur {most}",
    side: "Courbes et mesures", losses: "Perte par exemple",
    chart: "Pertes par exemple sur {steps} pas : D {D}, G {G}.", meter: "Effondrement",
    modes: "{covered} modes couverts sur {all} ; {good} des échantillons à moins de 3σ de l'un d'eux",
    frechet: "Distance de Fréchet aux données : {distance}",
    diagram: "z passe par G vers G(z) ; les vrais x et G(z) passent par D vers la perte",
    idle: "Le ralenti montre ce qui se passe dans une mise à jour.",
    draw_D: "Mise à jour de D : {batch} vrais points x, et autant de z de bruit.",
    generate: "G fait G(z) du bruit. Il n'est pas entraîné maintenant.",
    judge_D: "D juge les deux : {real} en moyenne pour les vrais, {fake} pour les générés.",
    loss_D: "La perte de D est de {loss} par exemple : elle baisse quand D les distingue.",
    gradient_D: "En arrière à travers D : un gradient pour chacun de ses {count} poids, {norm} en tout.",
    move_D: "Adam déplace D, de {move} en tout : le fond change, aucun point ne bouge.",
    still_D: "D est immobile. G est jugé par le D qui est là.",
    generate_G: "Mise à jour de G : les mêmes z. {batch} points G(z), comme avant.",
    judge_G: "D a changé, on le consulte donc de nouveau : {fake} pour les générés.",
    loss_G: "La perte de G est de {loss} par exemple : elle baisse quand D prend ses points pour vrais.",
    gradient_G: "En arrière à travers D, qui reste, jusqu'aux points : les flèches montrent où chacun devrait aller.",
    move_G: "Adam déplace G, de {move} en tout : les points ont bougé, D non.",
    still_G: "G est immobile.",
    diverged: "Les pertes ne sont plus finies : revenez au début, ou prenez des taux plus petits.",
    ready: "Prêt, au pas {steps}.", paused: "En pause au pas {steps} : perte de D {D}, de G {G}. {meter}",
    keys: "Touches", close: "Fermer", key_space: "lancer ou pause", key_right: "un pas, ou une étape",
    key_r: "au début", key_s: "ralenti", key_d: "dessiner", key_f: "à fond, ou 5 pas par image",
    key_h: "avis de D", key_a: "flèches", key_c: "copier le lien", key_w: "télécharger les poids",
    key_t: "clair ou sombre", key_l: "langue", key_help: "ces touches",
    about: "Tout est calculé ici, en double précision, par les formules de ganref : avec les mêmes poids et tirages, ses 125 premiers pas sont ceux de NumPy à 1e-12 près, ce qui est testé pour chaque onglet et chaque perte. Pour jouer, il tire ses propres nombres au hasard (xoshiro128**, Box-Muller) à partir de la graine. Rien ne quitte cette page.",
  };

  const WORDS = { en, fr };
  const asked = () => new URLSearchParams(globalThis.location?.search ?? "").get("lang");
  const words = { WORDS, language: asked() in WORDS ? asked() : "en" };

  // The sentence of that name, with its {gaps} filled.
  words.say = (name, values = {}) =>
    WORDS[words.language][name].replace(/\{(\w+)\}/g, (_, gap) => values[gap]);

  // A number for people: so many digits that count, in the language's own signs.
  words.number = (x, digits = 3) => {
    if (!Number.isFinite(x)) return "–";
    const small = x !== 0 && (Math.abs(x) < 1e-4 || Math.abs(x) >= 1e7);
    if (small) return x.toExponential(Math.min(digits - 1, 1)).replace(".", words.language === "fr" ? "," : ".");
    return new Intl.NumberFormat(words.language, { maximumSignificantDigits: digits }).format(x);
  };

  words.percent = (x) =>
    new Intl.NumberFormat(words.language, { style: "percent", maximumFractionDigits: 0 }).format(x);

  // Fills in all that the page itself says.
  words.show = (root) => {
    root.documentElement.lang = words.language;
    root.title = `ganref: ${words.say("title")}`;
    for (const el of root.querySelectorAll("[data-word]")) el.textContent = words.say(el.dataset.word);
    for (const el of root.querySelectorAll("[data-label]")) el.setAttribute("aria-label", words.say(el.dataset.label));
    for (const el of root.querySelectorAll("[data-hint]")) el.title = words.say(el.dataset.hint);
  };

  ganref.words = words;
})();
