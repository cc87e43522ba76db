// A run as a file that ganref opens: the safetensors format, with the metadata and the checksum of
// ganref/training/checkpoint.py. Every number is float64, so nothing is lost on the way.
(() => {
  const ganref = (globalThis.ganref ??= {});

  const FORMAT = 2;

  // JSON as Python's json.dumps(value, sort_keys=True) writes it: the checksum is over the text.
  function dumps(value) {
    if (Array.isArray(value)) return `[${value.map(dumps).join(", ")}]`;
    if (typeof value === "number") return number(value);
    if (typeof value === "string") return ascii(JSON.stringify(value));
    if (value === null || typeof value === "boolean") return String(value);
    const names = Object.keys(value).sort();
    return `{${names.map((name) => `${dumps(name)}: ${dumps(value[name])}`).join(", ")}}`;
  }

  // The shortest digits are the same in both languages; where exponents begin is not.
  function number(x) {
    if (Number.isInteger(x) && Math.abs(x) < 1e15) return String(x);
    const exponent = Math.floor(Math.log10(Math.abs(x)));
    if (exponent >= -4 && exponent < 15) return String(x);
    const [digits, power] = x.toExponential().split("e");
    return `${digits}e${power[0]}${power.slice(1).padStart(2, "0")}`;
  }

  const ascii = (text) =>
    text.replace(/[\u007f-\uffff]/g, (c) =>
      c === "\u007f" ? c : `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

  // Little-endian bytes of numbers, or of a count as int64.
  function bytesOf(tensor) {
    const values = typeof tensor === "number" ? [BigInt(tensor)] : tensor.values;
    const view = new DataView(new ArrayBuffer(8 * values.length));
    values.forEach((x, i) =>
      typeof x === "bigint" ? view.setBigInt64(8 * i, x, true) : view.setFloat64(8 * i, x, true));
    return new Uint8Array(view.buffer);
  }

  const join = (parts) => {
    const all = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
    parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
    return all;
  };
  const utf8 = (text) => new TextEncoder().encode(text);

  // Browsers have SHA-256 for pages that nobody can have changed on their way: https, localhost and
  // files. Throws where it is missing.
  async function sha256(bytes) {
    const digest = await globalThis.crypto.subtle.digest("SHA-256", bytes);
    return Array.from(new Uint8Array(digest), (b) => b.toString(16).padStart(2, "0")).join("");
  }

  // The file's bytes for a session. The numbers are those of the NumPy backend, which is named so
  // that `ganref sample` knows where to begin; any other opens it as well.
  async function bytes(session) {
    const state = session.gan.state();
    const names = Object.keys(state).sort();
    const tensors = names.map((name) => bytesOf(state[name]));
    const kinds = names.map((name) => typeof state[name] === "number");
    const shapes = names.map((name, i) => [
      name, kinds[i] ? "int64" : "float64", kinds[i] ? [] : state[name].shape,
    ]);
    const meta = {
      format: FORMAT, recipe: session.recipe, seed: session.settings.seed, step: session.steps,
      data: session.dataName, dtype: "float64", backend: "numpy",
      versions: { playground: ganref.spec.version },
    };
    const sum = await sha256(join([utf8(dumps([meta, shapes])), ...tensors]));
    const header = { __metadata__: { ganref: dumps({ ...meta, sha256: sum }) } };
    let at = 0;
    shapes.forEach(([name, , shape], i) => {
      const end = at + tensors[i].length;
      header[name] = { dtype: kinds[i] ? "I64" : "F64", shape, data_offsets: [at, end] };
      at = end;
    });
    const text = utf8(JSON.stringify(header));
    const padded = Math.ceil(text.length / 8) * 8;
    const length = new DataView(new ArrayBuffer(8));
    length.setBigUint64(0, BigInt(padded), true);
    const spaces = new Uint8Array(padded - text.length).fill(32);
    return join([new Uint8Array(length.buffer), text, spaces, ...tensors]);
  }

  ganref.checkpoint = { bytes, dumps };
})();
