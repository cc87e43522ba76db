# %% [markdown]
# # A GAN in NumPy, on points of the plane
#
# A generator G turns noise z into points x; a discriminator D says how probable it is that a point
# is a real one. They play min_G max_D E[log D(x)] + E[log(1 − D(G(z)))] (Goodfellow et al. 2014).
# Networks and numbers are those of d2l.ai, "Generative Adversarial Networks".

# %%
import matplotlib.pyplot as plt
import numpy as np

rng = np.random.default_rng(0)

# %% [markdown]
# ## Data
# Real points are x·A + b with x ~ N(0, I): a Gaussian of mean b and covariance AᵀA. A GAN is the
# most wasteful way to estimate those, and one whose result can be seen in a picture.


# %%
def load_data(batch_size=8):
    """1,000 points in batches (125, B, 2)."""
    A, b = np.array([[1.0, 2.0], [-0.1, 0.5]]), np.array([1.0, 2.0])
    return (rng.standard_normal((1000, 2)) @ A + b).reshape(-1, batch_size, 2)


# %% [markdown]
# ## Generator
# One linear layer is enough: z·Wᵀ + b is Gaussian wherever z is, and it can be the right one.


# %%
def generator():
    """Z (B, 2) → points (B, 2)."""
    return [np.zeros((2, 2)), np.zeros(2)]  # W (out, in) and b of each layer


# %% [markdown]
# ## Discriminator
# Three layers, the last of which gives a logit o: the probability is D(x) = 1 / (1 + exp(−o)).


# %%
def discriminator():
    """X (B, 2) → logits (B, 1)."""
    sizes = (2, 5), (5, 3), (3, 1)
    return [p for n, m in sizes for p in (np.zeros((m, n)), np.zeros(m))]


def forward(net, x):
    """What goes into each layer, and in the end what comes out: tanh between layers."""
    tape = [x]
    for i in range(0, len(net), 2):
        tape[-1] = np.tanh(tape[-1]) if i else x
        tape.append(tape[-1] @ net[i].T + net[i + 1])  # (B, out)
    return tape


def backward(net, tape, dy):
    """The gradients to the net's weights, and to its input, from that to its output dy (B, out)."""
    grads = []
    for W, x in zip(net[-2::-2], tape[-2::-1], strict=True):
        grads = [dy.T @ x, dy.sum(0), *grads]
        dy = dy @ W * (1 - x**2 if x is not tape[0] else 1)  # tanh' = 1 − tanh²
    return grads, dy


# %% [markdown]
# ## Initialisation
# Weights from N(0, 0.02²), biases 0: all points begin near 0, and D knows nothing.


# %%
def initialise(net):
    """The network with new weights."""
    for W in net[::2]:
        W[:] = rng.normal(0, 0.02, W.shape)
    return net


# %% [markdown]
# ## Loss
# The cross-entropy −y log D − (1 − y) log(1 − D) with the label y, 1 for real and 0 for fake,
# summed over the batch. It takes the logit, since the logarithm of a D rounded to 0 is infinite.


# %%
def loss(o, y):
    """The sum for logits o (B, 1) that all have the label y, and its derivatives (B, 1)."""
    D, not_D = 1 / (1 + np.exp(-o)), 1 / (1 + np.exp(o))  # 1 − D would cancel
    return (y * np.logaddexp(0, -o) + (1 - y) * np.logaddexp(0, o)).sum(), (1 - y) * D - y * not_D


# %% [markdown]
# ## Updates
# D lowers the cross-entropy of both labels. G does not raise it, which would leave no gradient
# where D is sure: it lowers −log D(G(z)) instead, that is, it asks for the label 1.


# %%
def adam(net, grads, trainer):
    """p ← p − lr · m̂ / (√v̂ + ε), algorithm 1 of Kingma and Ba 2015."""
    trainer["t"] += 1
    for p, g, m, v in zip(net, grads, trainer["m"], trainer["v"], strict=True):
        m[:] = 0.9 * m + 0.1 * g
        v[:] = 0.999 * v + 0.001 * g**2
        m_hat, v_hat = m / (1 - 0.9 ** trainer["t"]), v / (1 - 0.999 ** trainer["t"])
        p -= trainer["lr"] * m_hat / (np.sqrt(v_hat) + 1e-8)


def update_D(X, Z, net_D, net_G, loss, trainer_D):
    """One update of D on real points X (B, 2) and on those that G makes of Z (B, 2): its loss."""
    real, fake = forward(net_D, X), forward(net_D, forward(net_G, Z)[-1])
    (real_loss, d_real), (fake_loss, d_fake) = loss(real[-1], 1), loss(fake[-1], 0)
    grads = zip(backward(net_D, real, d_real)[0], backward(net_D, fake, d_fake)[0], strict=True)
    adam(net_D, [(r + f) / 2 for r, f in grads], trainer_D)
    return (real_loss + fake_loss) / 2


def update_G(Z, net_D, net_G, loss, trainer_G):
    """One update of G, through D, on Z (B, 2): its loss."""
    fake_X = forward(net_G, Z)
    fake_Y = forward(net_D, fake_X[-1])
    loss_G, d_fake_Y = loss(fake_Y[-1], 1)
    _, d_fake_X = backward(net_D, fake_Y, d_fake_Y)  # D's own gradients are not wanted
    adam(net_G, backward(net_G, fake_X, d_fake_X)[0], trainer_G)
    return loss_G


# %% [markdown]
# ## Training
# For every batch one update of D, then one of G on the same noise, each with an Adam of its own. D
# learns ten times as fast: what G is told is worth no more than what D knows.


# %%
def new_trainer(net, lr):
    """What Adam remembers of a network."""
    return {"lr": lr, "t": 0, "m": [0 * p for p in net], "v": [0 * p for p in net]}


def train(net_D, net_G, data_iter, num_epochs=20, lr_D=0.05, lr_G=0.005, latent_dim=2):
    """Both losses of every step."""
    trainer_D, trainer_G = new_trainer(net_D, lr_D), new_trainer(net_G, lr_G)
    losses = []
    for epoch in range(num_epochs):
        for X in data_iter:
            Z = rng.standard_normal((len(X), latent_dim))
            loss_D = update_D(X, Z, net_D, net_G, loss, trainer_D)
            loss_G = update_G(Z, net_D, net_G, loss, trainer_G)
            losses.append((loss_D, loss_G))
        print(f"epoch {epoch + 1}: loss_D {loss_D:.3f}, loss_G {loss_G:.3f}")
    return losses


# %% [markdown]
# ## Picture
# Where D can only guess, D(x) = 1/2 and both losses are 8 ln 2 ≈ 5.5, for a batch of 8.

# %%
if __name__ == "__main__":
    data_iter = load_data()
    net_D, net_G = initialise(discriminator()), initialise(generator())
    losses = train(net_D, net_G, data_iter)
    real, fake = data_iter[:25].reshape(200, 2), forward(net_G, rng.standard_normal((200, 2)))[-1]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    left.plot(losses, label=["loss_D", "loss_G"])
    right.scatter(*real.T, label="real")
    right.scatter(*fake.T, label="fake")
    left.legend(), right.legend()
    figure.savefig("gaussian_numpy.png")
