// Writes every word of the playground, by language.
const path = require("path");
require(path.join(__dirname, "..", "..", "docs", "playground", "words.js"));
process.stdout.write(JSON.stringify(globalThis.ganref.words.WORDS));
