# %% [markdown]
# # A deep convolutional GAN in JAX
#
# A generator G turns noise z into an image x; a discriminator D says how probable it is that an
# image is a real one. They play min_G max_D E[log D(x)] + E[log(1 − D(G(z)))] (Goodfellow et al.
# 2014). Networks and numbers are those of d2l.ai, "Deep Convolutional Generative Adversarial
# Networks".

# %%
from functools import partial

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
from jax import lax, random
from sklearn.datasets import load_digits

keys = map(random.key, range(2**31))  # for every draw another
conv = partial(lax.conv_general_dilated, dimension_numbers=("NHWC", "HWIO", "NHWC"))  # not NCHW

# %% [markdown]
# ## Data
# scikit-learn's 1,797 handwritten digits, since they need no download. Any images of this shape
# will do, with numbers from −1 to 1, which is what the tanh at the end of G can reach.


# %%
def load_data(batch_size=256):
    """Batches X (B, 64, 64, 3), in an order that is drawn once."""
    data = jnp.array(load_digits().images[..., None] / 8 - 1).repeat(8, 1).repeat(8, 2).repeat(3, 3)
    data = random.permutation(next(keys), data)[: len(data) // batch_size * batch_size]
    return data.reshape(-1, batch_size, 64, 64, 3)


# %% [markdown]
# ## Generator
# A transposed convolution lays a kernel over the output for each pixel, at twice their distance: 4
# → 8 → 16 → 32 → 64. It needs no bias, which batch normalisation would subtract again.


# %%
def layer(n, m):
    """A kernel (h, w, in, out) from n channels to m, and what normalises these."""
    W, one, zero = jnp.zeros((4, 4, n, m)), jnp.ones(m), jnp.zeros(m)
    return {"W": W, "scale": one, "shift": zero, "mean": zero, "var": one}


def norm(p, x, slope, training):
    """x (B, h, w, n) normalised and rectified, and p with the batch's tenth in its statistics."""
    N, mean, var = x[..., 0].size, x.mean((0, 1, 2)), x.var((0, 1, 2))
    new = {"mean": 0.9 * p["mean"] + 0.1 * mean, "var": 0.9 * p["var"] + 0.1 * var * N / (N - 1)}
    mean, var = (mean, var) if training else (p["mean"], p["var"])
    x = p["scale"] * (x - mean) / jnp.sqrt(var + 1e-5) + p["shift"]
    return jax.nn.leaky_relu(x, slope), p | new


def up(p, x, pads=(2, 1)):
    """(B, h, w, n) → (B, 2h, 2w, m), zeros between pixels; lax.conv_transpose is slow on CPUs."""
    x = jnp.zeros((len(x), 2 * x.shape[1], 2 * x.shape[2], x.shape[3])).at[:, ::2, ::2].set(x)
    return conv(x, p["W"], (1, 1), [pads] * 2)


def generator(n=64):
    """The kernels of G, and what normalises each but the last."""
    sizes = (100, 8 * n), (8 * n, 4 * n), (4 * n, 2 * n), (2 * n, n)
    return [*(layer(k, m) for k, m in sizes), {"W": jnp.zeros((4, 4, n, 3))}]


def G(net, x, training=True):
    """Z (B, 1, 1, 100) → images (B, 64, 64, 3), and G with new statistics."""
    p1, p2, p3, p4, p5 = net
    x, p1 = norm(p1, up(p1, x, (3, 2)), 0, training)  # (B, 4, 4, 512)
    x, p2 = norm(p2, up(p2, x), 0, training)  # (B, 8, 8, 256)
    x, p3 = norm(p3, up(p3, x), 0, training)  # (B, 16, 16, 128)
    x, p4 = norm(p4, up(p4, x), 0, training)  # (B, 32, 32, 64)
    return jnp.tanh(up(p5, x)), [p1, p2, p3, p4, p5]  # (B, 64, 64, 3)


# %% [markdown]
# ## Discriminator
# The same steps in reverse, 64 → 32 → 16 → 8 → 4 → 1, and LeakyReLU, for the sake of the gradient
# that goes on to G. The last convolution gives a logit o, with D(x) = 1 / (1 + exp(−o)).


# %%
def down(p, x, pad=1):
    """(B, h, w, n) → (B, h/2, w/2, m)."""
    return conv(x, p["W"], (2, 2), [(pad, pad)] * 2)


def discriminator(n=64):
    """The kernels of D, and what normalises each but the last."""
    sizes = (3, n), (n, 2 * n), (2 * n, 4 * n), (4 * n, 8 * n)
    return [*(layer(k, m) for k, m in sizes), {"W": jnp.zeros((4, 4, 8 * n, 1))}]


def D(net, x, training=True):
    """X (B, 64, 64, 3) → logits (B, 1), and D with new statistics."""
    p1, p2, p3, p4, p5 = net
    x, p1 = norm(p1, down(p1, x), 0.2, training)  # (B, 32, 32, 64); JAX's slope is 0.01
    x, p2 = norm(p2, down(p2, x), 0.2, training)  # (B, 16, 16, 128)
    x, p3 = norm(p3, down(p3, x), 0.2, training)  # (B, 8, 8, 256)
    x, p4 = norm(p4, down(p4, x), 0.2, training)  # (B, 4, 4, 512)
    return down(p5, x, 0).reshape(-1, 1), [p1, p2, p3, p4, p5]  # (B, 1)


# %% [markdown]
# ## Initialisation
# Kernels from N(0, 0.02²); batch normalisation begins with a scale of 1 and a shift of 0.


# %%
def initialise(net):
    """The network with new kernels."""
    return [p | {"W": 0.02 * random.normal(next(keys), p["W"].shape)} for p in net]


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
    """p ← p − lr · m̂ / (√v̂ + ε), algorithm 1 of Kingma and Ba 2015; without gradient p stays."""
    t, lr = trainer["t"] + 1, trainer["lr"]
    a, b = 1 - 0.5**t, 1 - 0.999**t  # m / a is m̂, v / b is v̂
    m = jax.tree.map(lambda m, g: 0.5 * m + 0.5 * g, trainer["m"], grads)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g**2, trainer["v"], grads)
    net = jax.tree.map(lambda p, m, v: p - lr * (m / a) / (jnp.sqrt(v / b) + 1e-8), net, m, v)
    return net, trainer | {"t": t, "m": m, "v": v}


@partial(jax.jit, static_argnames="loss")
def update_D(X, Z, net_D, net_G, loss, trainer_D):
    """One update of D on images X (B, 64, 64, 3) and fakes of Z (B, 1, 1, 100): its loss."""
    fake_X, _ = G(net_G, Z)  # G stays as it is, its statistics too

    def loss_of(net_D):
        real_Y, net_D = D(net_D, X)
        fake_Y, net_D = D(net_D, fake_X)
        return (loss(real_Y, 1) + loss(fake_Y, 0)) / 2, net_D

    (loss_D, net_D), grads = jax.value_and_grad(loss_of, has_aux=True)(net_D)
    return loss_D, *adam(net_D, grads, trainer_D)  # nothing changes: D and its trainer are new ones


@partial(jax.jit, static_argnames="loss")
def update_G(Z, net_D, net_G, loss, trainer_G):
    """One update of G, through D, on Z (B, 1, 1, 100): its loss."""

    def loss_of(net_G):
        fake_X, net_G = G(net_G, Z)
        fake_Y, new_D = D(net_D, fake_X)
        return loss(fake_Y, 1), (new_D, net_G)

    (loss_G, (net_D, net_G)), grads = jax.value_and_grad(loss_of, has_aux=True)(net_G)
    return loss_G, net_D, *adam(net_G, grads, trainer_G)


# %% [markdown]
# ## Training
# For every batch one update of D, then one of G on the same noise. β₁ is 0.5, since training
# oscillates at 0.9 (Radford, Metz and Chintala 2015).


# %%
def new_trainer(net, lr):
    """What Adam remembers of a network."""
    return {"lr": lr, "t": 0} | {name: jax.tree.map(jnp.zeros_like, net) for name in "mv"}


def train(net_D, net_G, data_iter, num_epochs=20, lr=0.005, latent_dim=100):
    """Both losses of every step, and the trained networks."""
    trainer_D, trainer_G = new_trainer(net_D, lr), new_trainer(net_G, lr)
    losses = []
    for epoch in range(num_epochs):
        for X in data_iter:
            Z = random.normal(next(keys), (len(X), 1, 1, latent_dim))
            loss_D, net_D, trainer_D = update_D(X, Z, net_D, net_G, loss, trainer_D)
            loss_G, net_D, net_G, trainer_G = update_G(Z, net_D, net_G, loss, trainer_G)
            losses.append((float(loss_D), float(loss_G)))
        print(f"epoch {epoch + 1}: loss_D {loss_D:.3f}, loss_G {loss_G:.3f}")
    return losses, net_D, net_G


# %% [markdown]
# ## Picture
# Losses are sums over 256 images: 256 ln 2 ≈ 177 is where D can only guess. Images are normalised
# by the running statistics, not by those of the batch that they happen to be in.

# %%
if __name__ == "__main__":
    net_D, net_G = initialise(discriminator()), initialise(generator())
    losses, net_D, net_G = train(net_D, net_G, load_data())
    fake, _ = G(net_G, random.normal(next(keys), (64, 1, 1, 100)), training=False)
    grid = fake.reshape(8, 8, 64, 64, 3).swapaxes(1, 2).reshape(512, 512, 3) / 2 + 0.5
    plt.imsave("dcgan_jax.png", grid)
