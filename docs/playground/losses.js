// The losses of ganref/spec/losses.py, example by example. o is an output of D: a logit, or a raw
// score. R is the sum or the mean over the batch:
//
//   L_D = scale_D * R[terms_D(o_real, o_fake)],  L_G = R[terms_G(o_fake)]
(() => {
  const ganref = (globalThis.ganref ??= {});

  // log(1 + exp(o)), finite and accurate for every finite o.
  const softplus = (o) => (o > 0 ? o + Math.log1p(Math.exp(-o)) : Math.log1p(Math.exp(o)));
  const sigmoid = (o) => Math.exp(-softplus(-o));

  // Goodfellow et al. 2014, with one-sided label smoothing. A slope is -sigmoid(-o), not
  // sigmoid(o) - 1, which would cancel where D is confident.
  const bce = {
    real: (loss, o) => {
      const label = loss.real_label;
      return label === 1 ? softplus(-o) : label * softplus(-o) + (1 - label) * softplus(o);
    },
    fake: (loss, o) => softplus(o),
    G: (loss, o) => (loss.generator === "minimax" ? -softplus(o) : softplus(-o)),
    slopeReal: (loss, o) => {
      const label = loss.real_label;
      const d = -label * sigmoid(-o);
      return label === 1 ? d : d + (1 - label) * sigmoid(o);
    },
    slopeFake: (loss, o) => sigmoid(o),
    slopeG: (loss, o) => -sigmoid(loss.generator === "minimax" ? o : -o),
    score: sigmoid,
    belief: sigmoid,
  };

  // Mao et al. 2017, equation 9.
  const leastSquares = {
    real: (loss, o) => 0.5 * (o - 1) * (o - 1),
    fake: (loss, o) => 0.5 * o * o,
    G: (loss, o) => 0.5 * (o - 1) * (o - 1),
    slopeReal: (loss, o) => o - 1,
    slopeFake: (loss, o) => o,
    slopeG: (loss, o) => o - 1,
    score: (o) => o,
    belief: (o) => Math.min(1, Math.max(0, o)),
  };

  // Lim and Ye 2017, equations 3 and 4. At the corners the derivative is 0.
  const hinge = {
    real: (loss, o) => Math.max(1 - o, 0),
    fake: (loss, o) => Math.max(1 + o, 0),
    G: (loss, o) => -o,
    slopeReal: (loss, o) => (o < 1 ? -1 : 0),
    slopeFake: (loss, o) => (o > -1 ? 1 : 0),
    slopeG: () => -1,
    score: (o) => o,
    belief: (o) => Math.min(1, Math.max(0, (o + 1) / 2)),
  };

  // `score` is what ganref logs; `belief` is for colours alone: 1 real, 0 fake, 1/2 the boundary.
  const KINDS = { bce, "least-squares": leastSquares, hinge };

  // What an example of so many counts in the reduction R.
  const weight = (loss, batch) => (loss.reduction === "sum" ? 1 : 1 / batch);

  // A loss of a batch, as the mean over its examples.
  const perExample = (loss, value, batch) => (loss.reduction === "sum" ? value / batch : value);

  ganref.losses = { KINDS, weight, perExample, sigmoid };
})();
