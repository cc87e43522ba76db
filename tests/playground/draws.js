// Reads {count}: writes moments of so many normal numbers, and the range of as many uniform ones.
const path = require("path");
require(path.join(__dirname, "..", "..", "docs", "playground", "random.js"));
const { Random } = globalThis.ganref.random;

const { count } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const random = new Random(5, 1);
const mean = (values) => values.reduce((a, b) => a + b, 0) / count;
const normal = random.normals(new Float64Array(count));
const uniform = Float64Array.from({ length: count }, () => random.uniform());
const power = (k) => mean(normal.map((x) => x ** k));
process.stdout.write(JSON.stringify({
  mean: power(1), square: power(2), cube: power(3), fourth: power(4), uniform: mean(uniform),
  least: Math.min(...uniform.slice(0, 50000)), most: Math.max(...uniform.slice(0, 50000)),
  shuffled: Array.from(random.shuffle(Uint32Array.from({ length: 50 }, (_, i) => i))),
}));
