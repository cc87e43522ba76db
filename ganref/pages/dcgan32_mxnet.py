# %% [markdown]
# # A convolutional GAN for small images in MXNet
#
# A generator G turns noise z into an image x; a discriminator D says how probable it is that an
# image is a real one. They play min_G max_D E[log D(x)] + E[log(1 − D(G(z)))] (Goodfellow et al.
# 2014). After T. Silva, "An intuitive introduction to Generative Adversarial Networks".

# %%
import os

import matplotlib.pyplot as plt
import numpy
import setuptools  # noqa: F401  brings distutils, which Python 3.12 dropped

# oneDNN fails on the way back through a transposed convolution to one channel.
os.environ["MXNET_MKLDNN_ENABLED"] = os.environ["MXNET_STORAGE_FALLBACK_LOG_VERBOSE"] = "0"
numpy.bool = bool  # noqa: NPY001  an alias that NumPy 1.24 dropped; MXNet 1.9.1 is of 2022
from mxnet import autograd, gluon, init, nd, np, npx, optimizer
from mxnet.gluon import nn
from sklearn.datasets import load_digits

npx.set_np()  # arrays that follow NumPy's rules

# %% [markdown]
# ## Data
# scikit-learn's 1,797 handwritten digits, since they need no download. Any images of this shape
# will do, with numbers from −1 to 1, which is what the tanh at the end of G can reach.


# %%
def load_data(batch_size=128):
    """Batches X (B, 1, 32, 32), in another order every epoch."""
    data = load_digits().images[:, None].astype("float32") / 8 - 1  # (N, 1, 8, 8)
    data = data.repeat(4, 2).repeat(4, 3)  # (N, 1, 32, 32)
    return gluon.data.DataLoader(np.array(data), batch_size, shuffle=True, last_batch="discard")


# %% [markdown]
# ## Generator
# A dense layer makes 512 maps of 4×4, transposed convolutions double their sides. Padding is
# TensorFlow's "same": at stride 2 a kernel of 5 sticks out by 1 row above and by 2 below.


# %%
def up(n, m):
    """(B, n, h, w) → (B, m, 2h, 2w): MXNet pads alike on all sides, so the last row has to go."""
    crop = nn.HybridLambda(lambda F, x: F.npx.slice(x, (None,) * 4, (None, None, -1, -1)))
    return nn.Conv2DTranspose(m, 5, 2, padding=1, in_channels=n), crop


def generator(n=64):
    """Z (B, 100) → images (B, 1, 32, 32); shapes below are of n = 64."""
    net = nn.HybridSequential()
    net.add(
        nn.Dense(128 * n, in_units=100),
        nn.HybridLambda(lambda F, x: F.npx.reshape(x, (-2, 8 * n, 4, 4))),  # -2: as it is
        nn.BatchNorm(), nn.Activation("relu"),  # (B, 512, 4, 4)
        *up(8 * n, 4 * n), nn.BatchNorm(), nn.Activation("relu"),  # (B, 256, 8, 8)
        *up(4 * n, 2 * n), nn.BatchNorm(), nn.Activation("relu"),  # (B, 128, 16, 16)
        *up(2 * n, 1), nn.Activation("tanh"),  # (B, 1, 32, 32)
    )  # fmt: skip
    return net


# %% [markdown]
# ## Discriminator
# Three convolutions halve the sides, 32 → 16 → 8 → 4, with the same padding. A dense layer gives a
# logit o, with D(x) = 1 / (1 + exp(−o)).


# %%
def down(n, m):
    """(B, n, h, w) → (B, m, h/2, w/2): one row of zeros before the image, two behind it."""
    pad = nn.HybridLambda(lambda F, x: F.np.pad(x, ((0, 0), (0, 0), (1, 2), (1, 2))))
    return pad, nn.Conv2D(m, 5, 2, in_channels=n)


def discriminator(n=64):
    """X (B, 1, 32, 32) → logits (B, 1)."""
    net = nn.HybridSequential()
    net.add(
        *down(1, n), nn.LeakyReLU(0.2),  # (B, 64, 16, 16)
        *down(n, 2 * n), nn.BatchNorm(), nn.LeakyReLU(0.2),  # (B, 128, 8, 8)
        *down(2 * n, 4 * n), nn.BatchNorm(), nn.LeakyReLU(0.2),  # (B, 256, 4, 4)
        nn.Flatten(), nn.Dense(1, in_units=64 * n),  # (B, 1)
    )  # fmt: skip
    return net


# %% [markdown]
# ## Initialisation
# Weights from N(0, 0.02²), biases 0; batch normalisation begins with scale 1 and shift 0.


# %%
def initialise(net):
    """The network with new weights; Gluon's biases and shifts are 0, its scales 1."""
    net.initialize(init.Normal(0.02))  # Gluon's own are from U(±0.07)
    net.hybridize()  # compiles the network at its first call
    return net


# %% [markdown]
# ## Loss
# The cross-entropy −y log D − (1 − y) log(1 − D) with the label y, as the mean of the batch. It
# takes the logit, since the logarithm of a D rounded to 0 is infinite.


# %%
def loss(o, y):
    """The mean for logits o (B, 1) that all have the label y."""
    return gluon.loss.SigmoidBCELoss()(o, np.full_like(o, y)).mean()


# %% [markdown]
# ## Updates
# Real images have the label 0.9 where D learns: a D that need not be sure leaves G a gradient. G
# asks for the full 1, that is, it lowers −log D(G(z)).


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
    """One update of D on images X (B, 1, 32, 32) and fakes of Z (B, 100): its loss."""
    with autograd.train_mode():  # nothing is recorded: G stays as it is
        fake_X = net_G(Z)
    with autograd.record():
        loss_D = loss(net_D(X), 0.9) + loss(net_D(fake_X), 0)
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
# For every batch one update of D, then two of G on the same noise, since D learns faster. β₁ is
# 0.5, since training oscillates at 0.9 (Radford, Metz and Chintala 2015).


# %%
def train(net_D, net_G, data_iter, num_epochs=25, lr=2e-4, latent_dim=100):
    """Both losses of every step."""
    trainer_D = gluon.Trainer(net_D.collect_params(), Adam(lr, beta1=0.5))  # MXNet's is 0.9
    trainer_G = gluon.Trainer(net_G.collect_params(), Adam(lr, beta1=0.5))
    losses = []
    for epoch in range(num_epochs):
        for X in data_iter:
            Z = np.random.normal(0, 1, (len(X), latent_dim))
            loss_D = update_D(X, Z, net_D, net_G, loss, trainer_D)
            for _ in range(2):
                loss_G = update_G(Z, net_D, net_G, loss, trainer_G)
            losses.append((loss_D, loss_G))
        print(f"epoch {epoch + 1}: loss_D {loss_D:.3f}, loss_G {loss_G:.3f}")
    return losses


# %% [markdown]
# ## Picture
# While D can only guess, its loss is near 2 ln 2 ≈ 1.39 and G's near ln 2. Images are normalised by
# running statistics, not by those of their batch.

# %%
if __name__ == "__main__":
    npx.random.seed(0)
    net_D, net_G = initialise(discriminator()), initialise(generator())
    train(net_D, net_G, load_data())
    fake = net_G(np.random.normal(0, 1, (64, 100))).asnumpy()  # (64, 1, 32, 32)
    grid = fake.reshape(8, 8, 32, 32).transpose(0, 2, 1, 3).reshape(256, 256)
    plt.imsave("dcgan32_mxnet.png", grid, cmap="gray")
