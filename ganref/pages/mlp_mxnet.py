# %% [markdown]
# # A GAN of dense layers in MXNet
#
# A generator G turns noise z into an image x; a discriminator D says how probable it is that an
# image is a real one. They play min_G max_D E[log D(x)] + E[log(1 − D(G(z)))] (Goodfellow et al.
# 2014). After an introduction to GANs in PyTorch: no convolution, an image is a vector of 784
# numbers.

# %%
import matplotlib.pyplot as plt
import numpy
import setuptools  # noqa: F401  brings distutils, which Python 3.12 dropped

numpy.bool = bool  # noqa: NPY001  an alias that NumPy 1.24 dropped; MXNet 1.9.1 is of 2022
from mxnet import autograd, gluon, nd, np, npx, optimizer
from mxnet.gluon import nn
from sklearn.datasets import load_digits

npx.set_np()  # arrays that follow NumPy's rules

# %% [markdown]
# ## Data
# scikit-learn's 1,797 handwritten digits, since they need no download. Any images of this shape
# will do, with numbers from −1 to 1, which is what the tanh at the end of G can reach.


# %%
def load_data(batch_size=128):
    """Batches X (B, 1, 28, 28), in another order every epoch."""
    data = load_digits().images[:, None].astype("float32") / 8 - 1  # (N, 1, 8, 8)
    data = data.repeat(3, 2).repeat(3, 3)
    data = numpy.pad(data, ((0, 0), (0, 0), (2, 2), (2, 2)), constant_values=-1)  # 28×28
    return gluon.data.DataLoader(np.array(data), batch_size, shuffle=True, last_batch="discard")


# %% [markdown]
# ## Generator
# Widths double from layer to layer. The slope of 0.2 below zero keeps a gradient alive that a ReLU
# would stop.


# %%
def generator(n=256):
    """Z (B, 100) → images (B, 1, 28, 28); shapes below are of n = 256."""
    net = nn.HybridSequential()
    net.add(
        nn.Dense(n, in_units=100), nn.LeakyReLU(0.2),  # (B, 256)
        nn.Dense(2 * n, in_units=n), nn.LeakyReLU(0.2),  # (B, 512)
        nn.Dense(4 * n, in_units=2 * n), nn.LeakyReLU(0.2),  # (B, 1024)
        nn.Dense(784, in_units=4 * n, activation="tanh"),
        nn.HybridLambda(lambda F, x: F.npx.reshape(x, (-2, 1, 28, 28))),  # -2: as it is
    )  # fmt: skip
    return net


# %% [markdown]
# ## Discriminator
# The mirror image, with dropout: a D that has learnt 1,797 images by heart tells G nothing. It ends
# in a logit o, with D(x) = 1 / (1 + exp(−o)).


# %%
def discriminator(n=256):
    """X (B, 1, 28, 28) → logits (B, 1)."""
    net = nn.HybridSequential()
    net.add(
        nn.Flatten(),  # (B, 784)
        nn.Dense(4 * n, in_units=784), nn.LeakyReLU(0.2), nn.Dropout(0.3),  # (B, 1024)
        nn.Dense(2 * n, in_units=4 * n), nn.LeakyReLU(0.2), nn.Dropout(0.3),  # (B, 512)
        nn.Dense(n, in_units=2 * n), nn.LeakyReLU(0.2), nn.Dropout(0.3),  # (B, 256)
        nn.Dense(1, in_units=n),  # (B, 1)
    )  # fmt: skip
    return net


# %% [markdown]
# ## Initialisation
# Weights and biases from U(±1/√n) for n inputs, so that a unit's output is of the same size in
# every layer.


# %%
def initialise(net):
    """The network with new weights."""
    net.initialize()
    for block in net:
        for p in block.collect_params().values():  # Gluon's weights are from U(±0.07), biases 0
            bound = block.weight.shape[1] ** -0.5
            p.set_data(np.random.uniform(-bound, bound, p.shape))
    net.hybridize()  # compiles the network at its first call
    return net


# %% [markdown]
# ## Loss
# The cross-entropy −y log D − (1 − y) log(1 − D) with the label y, 1 for real and 0 for fake, as
# the mean of the batch. It takes the logit, since the logarithm of a D rounded to 0 is infinite.


# %%
def loss(o, y):
    """The mean for logits o (B, 1) that all have the label y."""
    return gluon.loss.SigmoidBCELoss()(o, np.full_like(o, y)).mean()


# %% [markdown]
# ## Updates
# D lowers the mean over real and fake images together, hence the half. G does not raise it, which
# would leave no gradient where D is sure: it lowers −log D(G(z)) instead, it asks for the label 1.


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
    """One update of D on images X (B, 1, 28, 28) and fakes of Z (B, 100): its loss."""
    with autograd.train_mode():  # nothing is recorded: G stays as it is
        fake_X = net_G(Z)
    with autograd.record():
        loss_D = (loss(net_D(X), 1) + loss(net_D(fake_X), 0)) / 2
    loss_D.backward()
    trainer_D.step(1)  # the batch's size would divide the gradients of what is a mean already
    return float(loss_D)


def update_G(Z, net_D, net_G, loss, trainer_G):
    """One update of G, through D, on Z (B, 100): its loss."""
    with autograd.record():
        loss_G = loss(net_D(net_G(Z)), 1)
    loss_G.backward()
    trainer_G.step(1)
    return float(loss_G)


# %% [markdown]
# ## Training
# For every batch one update of D, then one of G on noise of its own, each with its own Adam.
# Fourteen batches are an epoch, so that there have to be many.


# %%
def train(net_D, net_G, data_iter, num_epochs=300, lr=2e-4, latent_dim=100):
    """Both losses of every step."""
    trainer_D = gluon.Trainer(net_D.collect_params(), Adam(lr))
    trainer_G = gluon.Trainer(net_G.collect_params(), Adam(lr))
    losses = []
    for epoch in range(num_epochs):
        for X in data_iter:
            Z = np.random.normal(0, 1, (len(X), latent_dim))
            loss_D = update_D(X, Z, net_D, net_G, loss, trainer_D)
            Z = np.random.normal(0, 1, (len(X), latent_dim))
            loss_G = update_G(Z, net_D, net_G, loss, trainer_G)
            losses.append((loss_D, loss_G))
        print(f"epoch {epoch + 1}: loss_D {loss_D:.3f}, loss_G {loss_G:.3f}")
    return losses


# %% [markdown]
# ## Picture
# Both losses stay near ln 2 ≈ 0.69 while neither network wins: there D can only guess.

# %%
if __name__ == "__main__":
    npx.random.seed(0)
    net_D, net_G = initialise(discriminator()), initialise(generator())
    train(net_D, net_G, load_data())
    fake = net_G(np.random.normal(0, 1, (64, 100))).asnumpy()  # (64, 1, 28, 28)
    grid = fake.reshape(8, 8, 28, 28).transpose(0, 2, 1, 3).reshape(224, 224)
    plt.imsave("mlp_mxnet.png", grid, cmap="gray")
