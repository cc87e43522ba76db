# %% [markdown]
# # A GAN of dense layers in JAX
#
# A generator G turns noise z into an image x; a discriminator D says how probable it is that an
# image is a real one. They play min_G max_D E[log D(x)] + E[log(1 − D(G(z)))] (Goodfellow et al.
# 2014). After an introduction to GANs in PyTorch: no convolution, an image is a vector of 784
# numbers.

# %%
from functools import partial

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
from jax import random
from sklearn.datasets import load_digits

keys = map(random.key, range(2**31))  # for every draw another

# %% [markdown]
# ## Data
# scikit-learn's 1,797 handwritten digits, since they need no download. Any images of this shape
# will do, with numbers from −1 to 1, which is what the tanh at the end of G can reach.


# %%
def load_data(batch_size=128):
    """Batches (N/B, B, 28, 28, 1), in an order that is drawn once."""
    data = jnp.array(load_digits().images / 8 - 1).repeat(3, 1).repeat(3, 2)  # (N, 24, 24)
    data = jnp.pad(data, ((0, 0), (2, 2), (2, 2)), constant_values=-1)  # (N, 28, 28)
    data = random.permutation(next(keys), data)[: len(data) // batch_size * batch_size]
    return data.reshape(-1, batch_size, 28, 28, 1)


# %% [markdown]
# ## Generator
# Widths double from layer to layer. The slope of 0.2 below zero keeps a gradient alive that a ReLU
# would stop.


# %%
def dense(*sizes):
    """The weights of dense layers, each from n numbers to m."""
    return [{"W": jnp.zeros((n, m)), "b": jnp.zeros(m)} for n, m in sizes]


def generator(n=256):
    """The weights of G, layer by layer; shapes below are of n = 256."""
    return dense((100, n), (n, 2 * n), (2 * n, 4 * n), (4 * n, 784))


def G(net, z):
    """Z (B, 100) → images (B, 28, 28, 1)."""
    p1, p2, p3, p4 = net
    z = jax.nn.leaky_relu(z @ p1["W"] + p1["b"], 0.2)  # (B, 256); JAX's slope is 0.01
    z = jax.nn.leaky_relu(z @ p2["W"] + p2["b"], 0.2)  # (B, 512)
    z = jax.nn.leaky_relu(z @ p3["W"] + p3["b"], 0.2)  # (B, 1024)
    return jnp.tanh(z @ p4["W"] + p4["b"]).reshape(-1, 28, 28, 1)


# %% [markdown]
# ## Discriminator
# The mirror image, with dropout: a D that has learnt 1,797 images by heart tells G nothing. It ends
# in a logit o, with D(x) = 1 / (1 + exp(−o)).


# %%
def discriminator(n=256):
    """The weights of D, layer by layer."""
    return dense((784, 4 * n), (4 * n, 2 * n), (2 * n, n), (n, 1))


def D(net, x, key):
    """X (B, 28, 28, 1) → logits (B, 1), with what the key drops out."""
    *hidden, last = net
    x = x.reshape(len(x), 784)
    for p, once in zip(hidden, random.split(key, 3), strict=True):  # (B, 1024), (B, 512), (B, 256)
        x = jax.nn.leaky_relu(x @ p["W"] + p["b"], 0.2)
        x = x * random.bernoulli(once, 0.7, x.shape) / 0.7  # drops 0.3
    return x @ last["W"] + last["b"]  # (B, 1)


# %% [markdown]
# ## Initialisation
# Weights and biases from U(±1/√n) for n inputs, so that a unit's output is of the same size in
# every layer.


# %%
def initialise(net):
    """The network with new weights."""

    def draw(p, bound):
        return random.uniform(next(keys), p.shape, minval=-bound, maxval=bound)

    return [jax.tree.map(partial(draw, bound=len(p["W"]) ** -0.5), p) for p in net]


# %% [markdown]
# ## Loss
# The cross-entropy −y log D − (1 − y) log(1 − D) with the label y, 1 for real and 0 for fake, as
# the mean of the batch. It takes the logit, since the logarithm of a D rounded to 0 is infinite.


# %%
def loss(o, y):
    """The mean for logits o (B, 1) that all have the label y."""
    return -(y * jax.nn.log_sigmoid(o) + (1 - y) * jax.nn.log_sigmoid(-o)).mean()


# %% [markdown]
# ## Updates
# D lowers the mean over real and fake images together, hence the half. G does not raise it, which
# would leave no gradient where D is sure: it lowers −log D(G(z)) instead, it asks for the label 1.


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
    """One update of D on images X (B, 28, 28, 1) and fakes of Z (B, 100): its loss."""
    fake_X = G(net_G, Z)  # G stays as it is: the gradient is D's alone
    real, fake = random.split(random.fold_in(random.key(1), trainer_D["t"]))  # another every step

    def loss_of(net_D):
        real_Y, fake_Y = D(net_D, X, real), D(net_D, fake_X, fake)
        return (loss(real_Y, 1) + loss(fake_Y, 0)) / 2

    loss_D, grads = jax.value_and_grad(loss_of)(net_D)
    return loss_D, *adam(net_D, grads, trainer_D)  # nothing changes: D and its trainer are new ones


@partial(jax.jit, static_argnames="loss")
def update_G(Z, net_D, net_G, loss, trainer_G):
    """One update of G, through D, on Z (B, 100): its loss."""
    key = random.fold_in(random.key(2), trainer_G["t"])
    loss_G, grads = jax.value_and_grad(lambda net_G: loss(D(net_D, G(net_G, Z), key), 1))(net_G)
    return loss_G, *adam(net_G, grads, trainer_G)


# %% [markdown]
# ## Training
# For every batch one update of D, then one of G on noise of its own, each with its own Adam.
# Fourteen batches are an epoch, so that there have to be many.


# %%
def new_trainer(net, lr):
    """What Adam remembers of a network."""
    return {"lr": lr, "t": 0} | {name: jax.tree.map(jnp.zeros_like, net) for name in "mv"}


def train(net_D, net_G, data_iter, num_epochs=300, lr=2e-4, latent_dim=100):
    """Both losses of every step, and the trained networks."""
    trainer_D, trainer_G = new_trainer(net_D, lr), new_trainer(net_G, lr)
    losses = []
    for epoch in range(num_epochs):
        for X in data_iter:
            Z = random.normal(next(keys), (len(X), latent_dim))
            loss_D, net_D, trainer_D = update_D(X, Z, net_D, net_G, loss, trainer_D)
            Z = random.normal(next(keys), (len(X), latent_dim))
            loss_G, net_G, trainer_G = update_G(Z, net_D, net_G, loss, trainer_G)
            losses.append((float(loss_D), float(loss_G)))
        print(f"epoch {epoch + 1}: loss_D {loss_D:.3f}, loss_G {loss_G:.3f}")
    return losses, net_D, net_G


# %% [markdown]
# ## Picture
# Both losses stay near ln 2 ≈ 0.69 while neither network wins: there D can only guess.

# %%
if __name__ == "__main__":
    net_D, net_G = initialise(discriminator()), initialise(generator())
    losses, net_D, net_G = train(net_D, net_G, load_data())
    fake = G(net_G, random.normal(next(keys), (64, 100)))  # (64, 28, 28, 1)
    grid = fake.reshape(8, 8, 28, 28).swapaxes(1, 2).reshape(224, 224)
    plt.imsave("mlp_jax.png", grid, cmap="gray")
