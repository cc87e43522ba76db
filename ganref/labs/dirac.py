"""The Dirac-GAN (Mescheder, Geiger and Nowozin 2018, section 2): the smallest GAN that circles.

The real data are the one point 0, G is the point theta, and D's logit is psi · x. With the
minimax loss the game is f(psi · theta), f(t) = log(1 + exp(t)), which D lowers and G raises; its
only equilibrium is (0, 0). (The paper writes it with the opposite sign of psi.) The derivatives
are those of `spec.formulas`.

With s = sigmoid(psi · theta), closed forms:

- in continuous time theta² + psi² is constant, and the point turns by s per unit of time;
- a simultaneous step of size h multiplies theta² + psi² by exactly 1 + h² s²: it never converges;
- alternating steps have, at the equilibrium, eigenvalues of modulus 1 for h up to 4;
- with the penalty r1 / 2 · psi² (R1: the gradient of D at the real data is psi), the eigenvalues of
  a simultaneous step there are 1 + h · (-r1 ± sqrt(r1² - 1)) / 2.
"""

from __future__ import annotations

import cmath

import numpy as np

from ..spec.formulas import grad_D, grad_G, sigmoid
from ..spec.losses import BinaryCrossEntropy

LOSS = BinaryCrossEntropy(generator="minimax", reduction="sum")
START = (1.0, 0.0)


def gradients(theta: float, psi: float, r1: float = 0.0) -> tuple[float, float]:
    """(dL_G / dtheta, dL_D / dpsi)."""
    real, fake = np.zeros(1), np.array([psi * theta])
    _, d_fake = grad_D(LOSS, real, fake)  # the real point is 0: its logit does not depend on psi
    return float(grad_G(LOSS, fake)[0] * psi), float(d_fake[0] * theta + r1 * psi)


def descend(
    h: float, steps: int, *, alternating: bool = False, r1: float = 0.0, start: tuple = START
) -> np.ndarray:
    """The path (steps + 1, 2) of (theta, psi) under gradient descent with step size h, D before G
    where they take turns."""
    path = np.empty((steps + 1, 2))
    path[0] = theta, psi = start
    for i in range(steps):
        d_theta, d_psi = gradients(theta, psi, r1)
        psi -= h * d_psi
        if alternating:
            d_theta, _ = gradients(theta, psi, r1)
        theta -= h * d_theta
        path[i + 1] = theta, psi
    return path


def flow(time: float, steps: int, start: tuple = START) -> np.ndarray:
    """The path (steps + 1, 2) in continuous time, by the classical Runge-Kutta method."""

    def field(x: np.ndarray) -> np.ndarray:
        return -np.array(gradients(x[0], x[1]))

    h, path = time / steps, np.empty((steps + 1, 2))
    path[0] = start
    for i in range(steps):
        x = path[i]
        k1 = field(x)
        k2 = field(x + h / 2 * k1)
        k3 = field(x + h / 2 * k2)
        k4 = field(x + h * k3)
        path[i + 1] = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return path


def norms(path: np.ndarray) -> np.ndarray:
    """The distance (n,) of each point of a path to the equilibrium."""
    return np.sqrt((path * path).sum(1))


def predicted_norms(path: np.ndarray, h: float) -> np.ndarray:
    """The norms that the closed form gives for simultaneous steps without a penalty."""
    s = sigmoid(path[:-1].prod(1))
    growth = np.concatenate([[1.0], np.cumprod(1 + (h * s) ** 2)])
    return norms(path[:1]) * np.sqrt(growth)


def turns(path: np.ndarray) -> float:
    """How often a path goes round the equilibrium."""
    angle = np.unwrap(np.arctan2(path[:, 1], path[:, 0]))
    return float(abs(angle[-1] - angle[0]) / (2 * np.pi))


def shrinkage(h: float, r1: float) -> float:
    """The factor per step, near the equilibrium, of simultaneous steps with the penalty."""
    root = cmath.sqrt(r1 * r1 - 1)
    return max(abs(1 + h * (-r1 + sign * root) / 2) for sign in (1, -1))


def alternating_modulus(h: float) -> float:
    """The larger modulus of the eigenvalues of an alternating step at the equilibrium."""
    a = h / 2
    update_D, update_G = np.array([[1, 0], [-a, 1]]), np.array([[1, a], [0, 1]])
    return float(np.abs(np.linalg.eigvals(update_G @ update_D)).max())


def average(values: np.ndarray, decay: float) -> np.ndarray:
    """The exponential moving average (n,) of values, as `Recipe.ema` keeps it of G's weights."""
    out = np.empty(len(values))
    out[0] = mean = values[0]
    for i, value in enumerate(values[1:], 1):
        mean += (1 - decay) * (value - mean)
        out[i] = mean
    return out
