// Both losses over the whole run, per example, with the line at which D can do no better.
(() => {
  const ganref = (globalThis.ganref ??= {});

  const STEPS = [1, 2, 5];

  // Round numbers from low to high, about so many.
  function ticks(low, high, about) {
    const rough = (high - low) / about;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * (STEPS.find((s) => s * power >= rough) ?? 10);
    const found = [];
    for (let k = Math.ceil(low / step); k * step <= high + 1e-9 * step; k++) found.push(k * step);
    return found;
  }

  // A range that leaves single peaks out: they would flatten all else.
  function range(rows, count) {
    const all = [];
    for (const row of rows) for (let i = 0; i < count; i++) all.push(row[i]);
    all.sort((a, b) => a - b);
    const low = all[Math.floor(0.005 * all.length)], high = all[Math.floor(0.995 * (all.length - 1))];
    return [Math.min(0, low), Math.max(high * 1.1, low + 0.1)];
  }

  class Chart {
    constructor(canvas) {
      this.canvas = canvas;
      this.context = canvas.getContext("2d");
    }

    draw(session, theme) {
      const { canvas, context: c } = this;
      const ratio = Math.min(2, globalThis.devicePixelRatio || 1);
      const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
      if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
      c.clearRect(0, 0, width, height);
      const { history } = session;
      const { count } = history;
      const ink = ganref.plane.INK[theme];
      const [low, high] = count ? range([history.D, history.G], count) : [0, 2];
      const left = 34 * ratio, bottom = height - 18 * ratio, top = 6 * ratio, right = width - 30 * ratio;
      const y = (v) => bottom - ((v - low) / (high - low)) * (bottom - top);
      const x = (i) => left + (i / Math.max(1, count - 1)) * (right - left);
      this.axes({ c, ratio, ink, low, high, left, right, bottom, top, y, total: count * history.per });
      if (session.optimum && session.optimum[0] < high) this.optimum({ c, ratio, ink, left, right, y }, session.optimum);
      c.save();
      c.beginPath();
      c.rect(left, top, right - left, bottom - top);
      c.clip();
      c.lineWidth = 1.6 * ratio;
      c.lineJoin = "round";
      for (const [row, colour] of [[history.G, ink.fake], [history.D, ink.real]]) {
        c.strokeStyle = colour;
        c.beginPath();
        for (let i = 0; i < count; i++) i ? c.lineTo(x(i), y(row[i])) : c.moveTo(x(i), y(row[i]));
        c.stroke();
      }
      c.restore();
    }

    axes({ c, ratio, ink, low, high, left, right, bottom, top, y, total }) {
      c.font = `${11 * ratio}px system-ui, sans-serif`;
      c.fillStyle = ink.line;
      c.strokeStyle = ink.line;
      c.lineWidth = ratio;
      c.textAlign = "right";
      c.textBaseline = "middle";
      c.globalAlpha = 0.25;
      c.beginPath();
      for (const tick of ticks(low, high, 4)) {
        c.moveTo(left, y(tick));
        c.lineTo(right, y(tick));
      }
      c.stroke();
      c.globalAlpha = 1;
      for (const tick of ticks(low, high, 4)) c.fillText(ganref.words.number(tick, 2), left - 5 * ratio, y(tick));
      c.textBaseline = "alphabetic";
      c.fillText(ganref.words.number(total, 4), right, bottom + 14 * ratio);
      c.textAlign = "left";
      c.fillText("0", left, bottom + 14 * ratio);
    }

    optimum({ c, ratio, ink, left, right, y }, [value, name]) {
      c.setLineDash([3 * ratio, 4 * ratio]);
      c.beginPath();
      c.moveTo(left, y(value));
      c.lineTo(right, y(value));
      c.stroke();
      c.setLineDash([]);
      c.fillStyle = ink.line;
      c.textBaseline = "middle";
      c.fillText(name, right + 4 * ratio, y(value));
    }
  }

  ganref.chart = { Chart };
})();
