// What leaves the page, and only because a person asks: a link, a file, a comparison. Each gives the
// words that say what came of it.
(() => {
  const ganref = (globalThis.ganref ??= {});
  const { words } = ganref;
  const { say } = words;

  // The weights as a file, for `ganref sample`.
  async function download(session) {
    const file = `${session.settings.recipe}-step-${session.steps}.safetensors`;
    let bytes;
    try {
      bytes = await ganref.checkpoint.bytes(session);
    } catch {
      return say("undownloaded");
    }
    const a = document.createElement("a");
    a.href = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
    a.download = file;
    a.click();
    setTimeout(() => URL.revokeObjectURL(a.href), 10000);
    return say("downloaded", { file });
  }

  // The address into the clipboard, where the browser lets a page do that.
  async function link() {
    try {
      await navigator.clipboard.writeText(location.href);
      return say("linked");
    } catch {
      return say("unlinked");
    }
  }

  function check() {
    return say("checked", { difference: ganref.check.difference().toExponential(1) });
  }

  // The other language, in the address too. A file on disk may not change its own query: there the
  // choice lasts until the page is left.
  function language() {
    words.language = words.language === "en" ? "fr" : "en";
    const query = new URLSearchParams(location.search);
    words.language === "en" ? query.delete("lang") : query.set("lang", words.language);
    const text = query.toString();
    try {
      history.replaceState(null, "", `${location.pathname}${text && `?${text}`}${location.hash}`);
    } catch {
      // only the address stays as it was
    }
  }

  ganref.sharing = { download, link, check, language };
})();
