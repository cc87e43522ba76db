// How good samples are, by the definitions of ganref/metrics/distances.py.
(() => {
  const ganref = (globalThis.ganref ??= {});

  // How a mixture's modes, each N(centre, std² I), are met by samples (n * 2). A sample is good if
  // it is within 3 std of its nearest centre; a mode is covered if it is nearest to at least one
  // good sample (VEEGAN, Srivastava et al. 2017, section 4; PacGAN, Lin et al. 2018, section 4).
  function modesCovered(samples, centres, std) {
    const counts = new Array(centres.length).fill(0);
    const limit = (3 * std) ** 2;
    let good = 0;
    for (let i = 0; i < samples.length; i += 2) {
      let nearest = 0, least = Infinity;
      for (let k = 0; k < centres.length; k++) {
        const squared = (samples[i] - centres[k][0]) ** 2 + (samples[i + 1] - centres[k][1]) ** 2;
        if (squared < least) [nearest, least] = [k, squared];
      }
      if (least <= limit) {
        counts[nearest] += 1;
        good += 1;
      }
    }
    const covered = counts.filter((count) => count > 0).length;
    return { covered, good: good / (samples.length / 2), counts };
  }

  // The mean and the unbiased covariance of points (n * 2).
  function fit(points) {
    const n = points.length / 2;
    let x = 0, y = 0;
    for (let i = 0; i < points.length; i += 2) {
      x += points[i] / n;
      y += points[i + 1] / n;
    }
    let xx = 0, xy = 0, yy = 0;
    for (let i = 0; i < points.length; i += 2) {
      const u = points[i] - x, v = points[i + 1] - y;
      xx += (u * u) / (n - 1);
      xy += (u * v) / (n - 1);
      yy += (v * v) / (n - 1);
    }
    return { mean: [x, y], cov: [xx, xy, yy] };
  }

  // The squared Fréchet distance of two Gaussians in the plane (Dowson and Landau 1982):
  // |m1 - m2|² + tr(C1 + C2) - 2 tr((C1^½ C2 C1^½)^½). In two dimensions the last trace is
  // sqrt(tr(C1 C2) + 2 sqrt(det C1 det C2)), since the product's eigenvalues are not negative.
  function frechet(a, b) {
    const [axx, axy, ayy] = a.cov;
    const [bxx, bxy, byy] = b.cov;
    const det = Math.max(axx * ayy - axy * axy, 0) * Math.max(bxx * byy - bxy * bxy, 0);
    const product = axx * bxx + 2 * axy * bxy + ayy * byy;
    const cross = Math.sqrt(Math.max(product + 2 * Math.sqrt(det), 0));
    const far = (a.mean[0] - b.mean[0]) ** 2 + (a.mean[1] - b.mean[1]) ** 2;
    return Math.max(far + axx + ayy + bxx + byy - 2 * cross, 0);
  }

  // The distribution of the toy, which is known: N(b, AᵀA).
  function toy({ A, B }) {
    const [[a, b], [c, d]] = A;
    return { mean: B, cov: [a * a + c * c, a * b + c * d, b * b + d * d] };
  }

  ganref.metrics = { modesCovered, fit, frechet, toy };
})();
