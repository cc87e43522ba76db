// Reads cases as JSON from the standard input, {recipe, layers, weights, X, Z}, and trains each with
// the playground's own arithmetic. Writes traces and states.
const path = require("path");
const folder = path.join(__dirname, "..", "..", "docs", "playground");
for (const name of ["networks", "losses", "gan"]) require(path.join(folder, `${name}.js`));

function run({ recipe, layers, weights, X, Z }) {
  const gan = new globalThis.ganref.gan.Gan(recipe, layers);
  gan.setWeights(weights);
  const names = ["loss_D", "loss_G", "D_x", "D_G_z", "D_G_z_after"];
  const trace = X.map((x, i) => {
    gan.X.set(x.flat());
    gan.Z.set(Z[i].flat());
    gan.drawn();
    gan.step();
    return names.map((name) => gan[name]);
  });
  const state = gan.state();
  const plain = ([name, t]) => [name, typeof t === "number" ? t : Array.from(t.values)];
  return { trace, state: Object.fromEntries(Object.entries(state).map(plain)) };
}

module.exports = { run };
if (require.main === module) {
  const cases = JSON.parse(require("fs").readFileSync(0, "utf8"));
  process.stdout.write(JSON.stringify(cases.map(run)));
}
