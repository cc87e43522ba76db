# %% [markdown]
# # A GAN in JAX, on points of the plane
#
# A generator G turns noise z into points x; a discriminator D says how probable it is that a point
# is a real one. They play min_G max_D E[log D(x)] + E[log(1 − D(G(z)))] (Goodfellow et al. 2014).
# Networks and numbers are those of d2l.ai, "Generative Adversarial Networks".

# %%
from functools import partial

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
from jax import random

keys = map(random.key, range(2**31))  # for every draw another

# %% [markdown]
# ## Data
# Real points are x·A + b with x ~ N(0, I): a Gaussian of mean b and covariance AᵀA. A GAN is the
# most wasteful way to estimate those, and one whose result can be seen in a picture.


# %%
def load_data(batch_size=8):
    """1,000 points in batches (125, B, 2)."""
    A, b = jnp.array([[1.0, 2.0], [-0.1, 0.5]]), jnp.array([1.0, 2.0])
    return (random.normal(next(keys), (1000, 2)) @ A + b).reshape(-1, batch_size, 2)


# %% [markdown]
# ## Generator
# One linear layer is enough: z·Wᵀ + b is Gaussian wherever z is, and it can be the right one.


# %%
def generator():
    """The weights of G."""
    return {"W": jnp.zeros((2, 2)), "b": jnp.zeros(2)}


def G(net, z):
    """Z (B, 2) → points (B, 2)."""
    return z @ net["W"] + net["b"]


# %% [markdown]
# ## Discriminator
# Three layers, the last of which gives a logit o: the probability is D(x) = 1 / (1 + exp(−o)).


# %%
def discriminator():
    """The weights of D, layer by layer."""
    sizes = (2, 5), (5, 3), (3, 1)
    return [{"W": jnp.zeros((n, m)), "b": jnp.zeros(m)} for n, m in sizes]


def D(net, x):
    """X (B, 2) → logits (B, 1)."""
    p1, p2, p3 = net
    x = jnp.tanh(x @ p1["W"] + p1["b"])  # (B, 5)
    x = jnp.tanh(x @ p2["W"] + p2["b"])  # (B, 3)
    return x @ p3["W"] + p3["b"]  # (B, 1)


# %% [markdown]
# ## Initialisation
# Weights from N(0, 0.02²), biases 0: all points begin near 0, and D knows nothing.


# %%
def initialise(net):
    """The network with new weights; its biases are 0 already."""
    draw = lambda p: 0.02 * random.normal(next(keys), p.shape) if p.ndim > 1 else p  # noqa: E731
    return jax.tree.map(draw, net)


# %% [markdown]
# ## Loss
# The cross-entropy −y log D − (1 − y) log(1 − D) with the label y, 1 for real and 0 for fake,
# summed over the batch. It takes the logit, since the logarithm of a D rounded to 0 is infinite.


# %%
def loss(o, y):
    """The sum for logits o (B, 1) that all have the label y."""
    return -(y * jax.nn.log_sigmoid(o) + (1 - y) * jax.nn.log_sigmoid(-o)).sum()


# %% [markdown]
# ## Updates
# D lowers the cross-entropy of both labels. G does not raise it, which would leave no gradient
# where D is sure: it lowers −log D(G(z)) instead, that is, it asks for the label 1.


# %%
def adam(net, grads, trainer):
    """p ← p − lr · m̂ / (√v̂ + ε), algorithm 1 of Kingma and Ba 2015."""
    t, lr = trainer["t"] + 1, trainer["lr"]
    a, b = 1 - 0.9**t, 1 - 0.999**t  # m / a is m̂, v / b is v̂
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, trainer["m"], grads)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g**2, trainer["v"], grads)
    net = jax.tree.map(lambda p, m, v: p - lr * (m / a) / (jnp.sqrt(v / b) + 1e-8), net, m, v)
    return net, trainer | {"t": t, "m": m, "v": v}


@partial(jax.jit, static_argnames="loss")
def update_D(X, Z, net_D, net_G, loss, trainer_D):
    """One update of D on real points X (B, 2) and on those that G makes of Z (B, 2): its loss."""
    fake_X = G(net_G, Z)  # G stays as it is: the gradient is D's alone

    def loss_of(net_D):
        real_Y, fake_Y = D(net_D, X), D(net_D, fake_X)
        return (loss(real_Y, 1) + loss(fake_Y, 0)) / 2

    loss_D, grads = jax.value_and_grad(loss_of)(net_D)
    return loss_D, *adam(net_D, grads, trainer_D)  # nothing changes: D and its trainer are new ones


@partial(jax.jit, static_argnames="loss")
def update_G(Z, net_D, net_G, loss, trainer_G):
    """One update of G, through D, on Z (B, 2): its loss."""
    loss_G, grads = jax.value_and_grad(lambda net_G: loss(D(net_D, G(net_G, Z)), 1))(net_G)
    return loss_G, *adam(net_G, grads, trainer_G)


# %% [markdown]
# ## Training
# For every batch one update of D, then one of G on the same noise, each with an Adam of its own. D
# learns ten times as fast: what G is told is worth no more than what D knows.


# %%
def new_trainer(net, lr):
    """What Adam remembers of a network."""
    return {"lr": lr, "t": 0} | {name: jax.tree.map(jnp.zeros_like, net) for name in "mv"}


def train(net_D, net_G, data_iter, num_epochs=20, lr_D=0.05, lr_G=0.005, latent_dim=2):
    """Both losses of every step, and the trained networks."""
    trainer_D, trainer_G = new_trainer(net_D, lr_D), new_trainer(net_G, lr_G)
    losses = []
    for epoch in range(num_epochs):
        for X in data_iter:
            Z = random.normal(next(keys), (len(X), latent_dim))
            loss_D, net_D, trainer_D = update_D(X, Z, net_D, net_G, loss, trainer_D)
            loss_G, net_G, trainer_G = update_G(Z, net_D, net_G, loss, trainer_G)
            losses.append((float(loss_D), float(loss_G)))
        print(f"epoch {epoch + 1}: loss_D {loss_D:.3f}, loss_G {loss_G:.3f}")
    return losses, net_D, net_G


# %% [markdown]
# ## Picture
# Where D can only guess, D(x) = 1/2 and both losses are 8 ln 2 ≈ 5.5, for a batch of 8.

# %%
if __name__ == "__main__":
    data_iter = load_data()
    net_D, net_G = initialise(discriminator()), initialise(generator())
    losses, net_D, net_G = train(net_D, net_G, data_iter)
    real, fake = next(iter(load_data(200))), G(net_G, random.normal(next(keys), (200, 2)))
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    left.plot(losses, label=["loss_D", "loss_G"])
    right.scatter(*real.T, label="real")
    right.scatter(*fake.T, label="fake")
    left.legend(), right.legend()
    figure.savefig("gaussian_jax.png")
