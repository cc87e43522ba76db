// Reads points, other points and a mixture: writes what the playground's metrics say.
const path = require("path");
const folder = path.join(__dirname, "..", "..", "docs", "playground");
for (const name of ["recipes", "metrics"]) require(path.join(folder, `${name}.js`));
const { metrics, spec } = globalThis.ganref;

const { points, other, centres, std } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const flat = (rows) => Float64Array.from(rows.flat());
const { covered, good } = metrics.modesCovered(flat(points), centres, std);
const frechet = metrics.frechet(metrics.fit(flat(points)), metrics.fit(flat(other)));
process.stdout.write(JSON.stringify({ covered, good, frechet, toy: metrics.toy(spec.data.gaussian) }));
