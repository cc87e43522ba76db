// Reads {address, steps}: trains a session of that address step by step, and another one stage by
// stage; writes what both have become.
const path = require("path");
const folder = path.join(__dirname, "..", "..", "docs", "playground");
const names = "recipes pretrained random networks losses gan data metrics settings session words stages";
for (const name of names.split(" ")) require(path.join(folder, `${name}.js`));
const { ganref } = globalThis;

const { address, steps } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const became = (session) => [
  ...session.gan.parts().map(([net]) => Array.from(net.flat)),
  [session.gan.loss_D, session.gan.loss_G, session.steps],
];
const [fast, slow] = [0, 1].map(() => new ganref.session.Session(ganref.settings.parse(address)));
for (let i = 0; i < steps; i++) {
  fast.step();
  for (const stage of ganref.stages.stages(slow)) if (!stage.words) throw new Error(stage.name);
}
process.stdout.write(JSON.stringify([became(fast), became(slow)]));
