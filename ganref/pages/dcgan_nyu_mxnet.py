# %% [markdown]
# # DCGAN as NYU's course has it, in MXNet
#
# A generator G turns noise z into an image x; a discriminator D says how probable it is that an
# image is a real one. They play min_G max_D E[log D(x)] + E[log(1 − D(G(z)))] (Goodfellow et al.
# 2014). After "Deep Learning", New York University, week 9; the course leaves rates, batch and
# initial weights to pytorch/examples.

# %%
import matplotlib.pyplot as plt
import numpy
import setuptools  # noqa: F401  brings distutils, which Python 3.12 dropped

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
def load_data(batch_size=64):
    """Batches X (B, 3, 64, 64), in another order every epoch."""
    data = load_digits().images[:, None].astype("float32") / 8 - 1  # (N, 1, 8, 8)
    data = data.repeat(3, 1).repeat(8, 2).repeat(8, 3)  # grey as red, green and blue
    return gluon.data.DataLoader(np.array(data), batch_size, shuffle=True, last_batch="discard")


# %% [markdown]
# ## Generator
# A transposed convolution lays a kernel over the output for each pixel, at twice their distance: 4
# → 8 → 16 → 32 → 64. It needs no bias, which batch normalisation would subtract again.


# %%
def up(n, m, stride=2, padding=1):
    """(B, n, h, w) → (B, m, 2h, 2w), normalised; the running variance is biased."""
    conv = nn.Conv2DTranspose(m, 4, stride, padding, in_channels=n, use_bias=False)
    return conv, nn.BatchNorm(in_channels=m), nn.Activation("relu")


def generator(n=64):
    """Z (B, 100, 1, 1) → images (B, 3, 64, 64); shapes below are of n = 64."""
    net = nn.HybridSequential()
    net.add(
        *up(100, 8 * n, stride=1, padding=0),  # (B, 512, 4, 4)
        *up(8 * n, 4 * n),  # (B, 256, 8, 8)
        *up(4 * n, 2 * n),  # (B, 128, 16, 16)
        *up(2 * n, n),  # (B, 64, 32, 32)
        nn.Conv2DTranspose(3, 4, 2, 1, in_channels=n, use_bias=False), nn.Activation("tanh"),
    )  # fmt: skip
    return net


# %% [markdown]
# ## Discriminator
# The same steps in reverse. The first has no batch normalisation: with it in every layer training
# was unstable (Radford, Metz and Chintala 2015). The sigmoid at the end is left to the loss.


# %%
def down(n, m):
    """(B, n, h, w) → (B, m, h/2, w/2), normalised."""
    conv = nn.Conv2D(m, 4, 2, 1, in_channels=n, use_bias=False)
    return conv, nn.BatchNorm(in_channels=m), nn.LeakyReLU(0.2)


def discriminator(n=64):
    """X (B, 3, 64, 64) → logits (B, 1)."""
    net = nn.HybridSequential()
    net.add(
        nn.Conv2D(n, 4, 2, 1, in_channels=3, use_bias=False), nn.LeakyReLU(0.2),  # (B, 64, 32, 32)
        *down(n, 2 * n),  # (B, 128, 16, 16)
        *down(2 * n, 4 * n),  # (B, 256, 8, 8)
        *down(4 * n, 8 * n),  # (B, 512, 4, 4)
        nn.Conv2D(1, 4, in_channels=8 * n, use_bias=False), nn.Flatten(),  # (B, 1)
    )  # fmt: skip
    return net


# %% [markdown]
# ## Initialisation
# Kernels from N(0, 0.02²), the scales of batch normalisation from N(1, 0.02²), its shifts 0.


# %%
def initialise(net):
    """The network with new weights; Gluon's shifts are 0."""
    net.initialize(init.Normal(0.02))  # Gluon's own are from U(±0.07)
    for block in net:
        if isinstance(block, nn.BatchNorm):  # Gluon's scales are 1
            block.gamma.set_data(np.random.normal(1, 0.02, block.gamma.shape))
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
    """One update of D on images X (B, 3, 64, 64) and fakes of Z (B, 100, 1, 1): its loss."""
    with autograd.train_mode():  # nothing is recorded: G stays as it is
        fake_X = net_G(Z)
    with autograd.record():
        loss_D = loss(net_D(X), 1) + loss(net_D(fake_X), 0)
    loss_D.backward()
    trainer_D.step(1)  # the batch's size would divide the gradients of what is a mean already
    return float(loss_D)


def update_G(Z, net_D, net_G, loss, trainer_G):
    """One update of G, through D, on Z (B, 100, 1, 1): its loss."""
    with autograd.record():
        loss_G = loss(net_D(net_G(Z)), 1)
    loss_G.backward()
    trainer_G.step(1)
    return float(loss_G)


# %% [markdown]
# ## Training
# For every batch one update of D, then one of G on the same noise. β₁ is 0.5, since training
# oscillates at 0.9 (Radford, Metz and Chintala 2015).


# %%
def train(net_D, net_G, data_iter, num_epochs=25, lr=2e-4, latent_dim=100):
    """Both losses of every step."""
    trainer_D = gluon.Trainer(net_D.collect_params(), Adam(lr, beta1=0.5))  # MXNet's is 0.9
    trainer_G = gluon.Trainer(net_G.collect_params(), Adam(lr, beta1=0.5))
    losses = []
    for epoch in range(num_epochs):
        for X in data_iter:
            Z = np.random.normal(0, 1, (len(X), latent_dim, 1, 1))
            loss_D = update_D(X, Z, net_D, net_G, loss, trainer_D)
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
    fake = net_G(np.random.normal(0, 1, (64, 100, 1, 1))).asnumpy()  # (64, 3, 64, 64)
    grid = fake.reshape(8, 8, 3, 64, 64).transpose(0, 3, 1, 4, 2).reshape(512, 512, 3) / 2 + 0.5
    plt.imsave("dcgan_nyu_mxnet.png", grid)
