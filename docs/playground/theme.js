// Light or dark: what the system says, until a person says otherwise.
(() => {
  const ganref = (globalThis.ganref ??= {});

  const KEY = "ganref-theme";

  // A browser may refuse storage; the choice then lasts as long as the page.
  function stored(value) {
    try {
      if (value) localStorage.setItem(KEY, value);
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  }

  // Follows the system and the button; gives a function that says which theme it is.
  function watch(button, changed) {
    const system = matchMedia("(prefers-color-scheme: dark)");
    let chosen = stored();
    const now = () => (["light", "dark"].includes(chosen) ? chosen : system.matches ? "dark" : "light");
    const show = () => {
      document.documentElement.dataset.theme = now();
      button.setAttribute("aria-pressed", now() === "dark");
      changed();
    };
    button.addEventListener("click", () => {
      chosen = now() === "dark" ? "light" : "dark";
      stored(chosen);
      show();
    });
    system.addEventListener("change", show);
    queueMicrotask(show);
    document.documentElement.dataset.theme = now();
    return now;
  }

  ganref.theme = { watch };
})();
