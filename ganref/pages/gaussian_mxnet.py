# %% [markdown]
# # A GAN in MXNet, on points of the plane
#
# A generator G turns noise z into points x; a discriminator D says how probable it is that a point
# is a real one. They play min_G max_D E[log D(x)] + E[log(1 − D(G(z)))] (Goodfellow et al. 2014).
# Networks and numbers are those of d2l.ai, "Generative Adversarial Networks".

# %%
import matplotlib.pyplot as plt
import numpy
import setuptools  # noqa: F401  brings distutils, which Python 3.12 dropped

numpy.bool = bool  # noqa: NPY001  an alias that NumPy 1.24 dropped; MXNet 1.9.1 is of 2022
from mxnet import autograd, gluon, init, nd, np, npx, optimizer
from mxnet.gluon import nn

npx.set_np()  # arrays that follow NumPy's rules

# %% [markdown]
# ## Data
# Real points are x·A + b with x ~ N(0, I): a Gaussian of mean b and covariance AᵀA. A GAN is the
# most wasteful way to estimate those, and one whose result can be seen in a picture.


# %%
def load_data(batch_size=8):
    """1,000 points in batches X (B, 2), in another order every epoch."""
    A, b = np.array([[1.0, 2.0], [-0.1, 0.5]]), np.array([1.0, 2.0])
    data = np.dot(np.random.normal(0, 1, (1000, 2)), A) + b
    return gluon.data.DataLoader(data, batch_size, shuffle=True, last_batch="discard")


# %% [markdown]
# ## Generator
# One linear layer is enough: z·Wᵀ + b is Gaussian wherever z is, and it can be the right one.


# %%
def generator():
    """Z (B, 2) → points (B, 2)."""
    net = nn.HybridSequential()
    net.add(nn.Dense(2, in_units=2))
    return net


# %% [markdown]
# ## Discriminator
# Three layers, the last of which gives a logit o: the probability is D(x) = 1 / (1 + exp(−o)).


# %%
def discriminator():
    """X (B, 2) → logits (B, 1)."""
    net = nn.HybridSequential()
    net.add(
        nn.Dense(5, in_units=2, activation="tanh"),  # (B, 5)
        nn.Dense(3, in_units=5, activation="tanh"),  # (B, 3)
        nn.Dense(1, in_units=3),  # (B, 1)
    )
    return net


# %% [markdown]
# ## Initialisation
# Weights from N(0, 0.02²), biases 0: all points begin near 0, and D knows nothing.


# %%
def initialise(net):
    """The network with new weights; Gluon's biases are 0."""
    net.initialize(init.Normal(0.02))  # Gluon's own are from U(±0.07)
    net.hybridize()  # compiles the network at its first call
    return net


# %% [markdown]
# ## Loss
# The cross-entropy −y log D − (1 − y) log(1 − D) with the label y, 1 for real and 0 for fake,
# summed over the batch. It takes the logit, since the logarithm of a D rounded to 0 is infinite.


# %%
def loss(o, y):
    """The sum for logits o (B, 1) that all have the label y."""
    return gluon.loss.SigmoidBCELoss()(o, np.full_like(o, y)).sum()


# %% [markdown]
# ## Updates
# D lowers the cross-entropy of both labels. G does not raise it, which would leave no gradient
# where D is sure: it lowers −log D(G(z)) instead, that is, it asks for the label 1.


# %%
class Adam(optimizer.Adam):
    """p ← p − lr · m̂ / (√v̂ + ε), algorithm 1 of Kingma and Ba 2015. MXNet's own adds ε to √v."""

    def update(self, index, p, g, state):
        self._update_count(index)
        (m, v), t = state, self._index_update_count[index]
        g = self.rescale_grad * g  # by what step() is told
        m[:] = self.beta1 * m + (1 - self.beta1) * g
        v[:] = self.beta2 * v + (1 - self.beta2) * g**2
        m_hat, v_hat = m / (1 - self.beta1**t), v / (1 - self.beta2**t)
        p[:] -= self.lr * m_hat / (nd.sqrt(v_hat) + self.epsilon)


def update_D(X, Z, net_D, net_G, loss, trainer_D):
    """One update of D on real points X (B, 2) and on those that G makes of Z (B, 2): its loss."""
    with autograd.train_mode():  # nothing is recorded: G stays as it is
        fake_X = net_G(Z)
    with autograd.record():
        loss_D = (loss(net_D(X), 1) + loss(net_D(fake_X), 0)) / 2
    loss_D.backward()
    trainer_D.step(1)  # the batch's size would divide the gradients of what is a sum already
    return float(loss_D)


def update_G(Z, net_D, net_G, loss, trainer_G):
    """One update of G, through D, on Z (B, 2): its loss."""
    with autograd.record():
        loss_G = loss(net_D(net_G(Z)), 1)
    loss_G.backward()
    trainer_G.step(1)
    return float(loss_G)


# %% [markdown]
# ## Training
# For every batch one update of D, then one of G on the same noise, each with an Adam of its own. D
# learns ten times as fast: what G is told is worth no more than what D knows.


# %%
def train(net_D, net_G, data_iter, num_epochs=20, lr_D=0.05, lr_G=0.005, latent_dim=2):
    """Both losses of every step."""
    trainer_D = gluon.Trainer(net_D.collect_params(), Adam(lr_D))
    trainer_G = gluon.Trainer(net_G.collect_params(), Adam(lr_G))
    losses = []
    for epoch in range(num_epochs):
        for X in data_iter:
            Z = np.random.normal(0, 1, (len(X), latent_dim))
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
    npx.random.seed(0)
    data_iter = load_data()
    net_D, net_G = initialise(discriminator()), initialise(generator())
    losses = train(net_D, net_G, data_iter)
    real, fake = next(iter(load_data(200))), net_G(np.random.normal(0, 1, (200, 2)))
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    left.plot(losses, label=["loss_D", "loss_G"])
    right.scatter(*real.asnumpy().T, label="real")
    right.scatter(*fake.asnumpy().T, label="fake")
    left.legend(), right.legend()
    figure.savefig("gaussian_mxnet.png")
