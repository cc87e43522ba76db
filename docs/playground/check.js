// The same numbers, before everybody's eyes: 125 steps of the toy on ganref's own weights and draws,
// against the losses that its NumPy backend logged (`reference.js`).
(() => {
  const ganref = (globalThis.ganref ??= {});

  function numbers(text) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    return new Float64Array(bytes.buffer);
  }

  // The largest difference of both losses, relative to the largest of each.
  function difference() {
    const { weights, X, Z, loss_D, loss_G } = ganref.reference;
    const entry = ganref.spec.recipes.gaussian;
    const gan = new ganref.gan.Gan(entry.tabs.aligned, entry);
    gan.setWeights(Object.fromEntries(Object.entries(weights).map(([n, t]) => [n, numbers(t)])));
    const [reals, noise] = [numbers(X), numbers(Z)];
    const wanted = { loss_D: numbers(loss_D), loss_G: numbers(loss_G) };
    const most = { loss_D: 0, loss_G: 0 };
    const size = gan.Z.length;
    for (let i = 0; i < wanted.loss_D.length; i++) {
      gan.X.set(reals.subarray(i * size, (i + 1) * size));
      gan.Z.set(noise.subarray(i * size, (i + 1) * size));
      gan.drawn();
      gan.step();
      for (const name of ["loss_D", "loss_G"]) {
        most[name] = Math.max(most[name], Math.abs(gan[name] - wanted[name][i]));
      }
    }
    return Math.max(...["loss_D", "loss_G"].map((n) => most[n] / Math.max(...wanted[n].map(Math.abs))));
  }

  ganref.check = { difference };
})();
