// The keyboard: a key for every action. A control that is in use keeps the keys that are its own.
(() => {
  const ganref = (globalThis.ganref ??= {});

  // key: [action, word of the help, how the help writes the key]
  const KEYS = {
    " ": ["play", "key_space", "␣"],
    ArrowRight: ["step", "key_right", "→"],
    r: ["reset", "key_r", "R"],
    s: ["slow", "key_s", "S"],
    f: ["full", "key_f", "F"],
    d: ["draw", "key_d", "D"],
    h: ["heat", "key_h", "H"],
    a: ["arrows", "key_a", "A"],
    c: ["link", "key_c", "C"],
    w: ["download", "key_w", "W"],
    t: ["theme", "key_t", "T"],
    l: ["language", "key_l", "L"],
    "?": ["help", "key_help", "?"],
  };
  const OWN = {
    "input[type=range], [role=radio]": (key) => key.startsWith("Arrow"),
    "input[type=number]": () => true,
    select: () => true,
    "button, a, input[type=checkbox]": (key) => key === " ",
    dialog: () => true,
  };

  function listen(root, actions) {
    root.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      const taken = Object.entries(OWN).some(([where, own]) =>
        (event.target.closest?.(where) || root.querySelector("dialog[open]")) && own(key));
      if (taken || !(key in KEYS)) return;
      event.preventDefault();
      actions[KEYS[key][0]]();
    });
  }

  // The help's list.
  function list(dl) {
    dl.replaceChildren();
    for (const [, word, sign] of Object.values(KEYS)) {
      dl.appendChild(document.createElement("dt")).textContent = sign;
      dl.appendChild(document.createElement("dd")).textContent = ganref.words.say(word);
    }
  }

  ganref.keys = { listen, list };
})();
