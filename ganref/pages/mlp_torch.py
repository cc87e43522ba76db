# %% [markdown]
# # A GAN of dense layers in PyTorch
#
# A generator G turns noise z into an image x; a discriminator D says how probable it is that an
# image is a real one. They play min_G max_D E[log D(x)] + E[log(1 − D(G(z)))] (Goodfellow et al.
# 2014). After an introduction to GANs in PyTorch: no convolution, an image is a vector of 784
# numbers.

# %%
import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader

# %% [markdown]
# ## Data
# scikit-learn's 1,797 handwritten digits, since they need no download. Any images of this shape
# will do, with numbers from −1 to 1, which is what the tanh at the end of G can reach.


# %%
def load_data(batch_size=128):
    """Batches X (B, 1, 28, 28), in another order every epoch."""
    data = torch.tensor(load_digits().images[:, None] / 8 - 1).float()  # (N, 1, 8, 8)
    data = F.pad(F.interpolate(data, scale_factor=3), (2, 2, 2, 2), value=-1)  # (N, 1, 28, 28)
    return DataLoader(data, batch_size, shuffle=True, drop_last=True)


# %% [markdown]
# ## Generator
# Widths double from layer to layer. The slope of 0.2 below zero keeps a gradient alive that a ReLU
# would stop.


# %%
def generator(n=256):
    """Z (B, 100) → images (B, 1, 28, 28); shapes below are of n = 256."""
    return nn.Sequential(
        nn.Linear(100, n), nn.LeakyReLU(0.2),  # (B, 256); PyTorch's slope is 0.01
        nn.Linear(n, 2 * n), nn.LeakyReLU(0.2),  # (B, 512)
        nn.Linear(2 * n, 4 * n), nn.LeakyReLU(0.2),  # (B, 1024)
        nn.Linear(4 * n, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)),
    )  # fmt: skip


# %% [markdown]
# ## Discriminator
# The mirror image, with dropout: a D that has learnt 1,797 images by heart tells G nothing. It ends
# in a logit o, with D(x) = 1 / (1 + exp(−o)).


# %%
def discriminator(n=256):
    """X (B, 1, 28, 28) → logits (B, 1)."""
    return nn.Sequential(
        nn.Flatten(),  # (B, 784)
        nn.Linear(784, 4 * n), nn.LeakyReLU(0.2), nn.Dropout(0.3),  # (B, 1024)
        nn.Linear(4 * n, 2 * n), nn.LeakyReLU(0.2), nn.Dropout(0.3),  # (B, 512)
        nn.Linear(2 * n, n), nn.LeakyReLU(0.2), nn.Dropout(0.3),  # (B, 256)
        nn.Linear(n, 1),  # (B, 1)
    )  # fmt: skip


# %% [markdown]
# ## Initialisation
# Weights and biases from U(±1/√n) for n inputs, so that a unit's output is of the same size in
# every layer.


# %%
def initialise(net):
    """The network with new weights: what PyTorch does too, as of today."""
    for layer in net:
        if isinstance(layer, nn.Linear):
            bound = layer.in_features**-0.5
            nn.init.uniform_(layer.weight, -bound, bound)
            nn.init.uniform_(layer.bias, -bound, bound)
    return net


# %% [markdown]
# ## Loss
# The cross-entropy −y log D − (1 − y) log(1 − D) with the label y, 1 for real and 0 for fake, as
# the mean of the batch. It takes the logit, since the logarithm of a D rounded to 0 is infinite.


# %%
def loss(o, y):
    """The mean for logits o (B, 1) that all have the label y."""
    return F.binary_cross_entropy_with_logits(o, torch.full_like(o, y))


# %% [markdown]
# ## Updates
# D lowers the mean over real and fake images together, hence the half. G does not raise it, which
# would leave no gradient where D is sure: it lowers −log D(G(z)) instead, it asks for the label 1.


# %%
def update_D(X, Z, net_D, net_G, loss, trainer_D):
    """One update of D on images X (B, 1, 28, 28) and fakes of Z (B, 100): its loss."""
    trainer_D.zero_grad()
    fake_X = net_G(Z).detach()  # G stays as it is: no gradient has to go back into it
    loss_D = (loss(net_D(X), 1) + loss(net_D(fake_X), 0)) / 2
    loss_D.backward()
    trainer_D.step()
    return loss_D.item()


def update_G(Z, net_D, net_G, loss, trainer_G):
    """One update of G, through D, on Z (B, 100): its loss."""
    trainer_G.zero_grad()
    loss_G = loss(net_D(net_G(Z)), 1)
    loss_G.backward()  # leaves gradients with D too, which update_D clears
    trainer_G.step()
    return loss_G.item()


# %% [markdown]
# ## Training
# For every batch one update of D, then one of G on noise of its own, each with its own Adam.
# Fourteen batches are an epoch, so that there have to be many.


# %%
def train(net_D, net_G, data_iter, num_epochs=300, lr=2e-4, latent_dim=100):
    """Both losses of every step."""
    trainer_D = torch.optim.Adam(net_D.parameters(), lr)
    trainer_G = torch.optim.Adam(net_G.parameters(), lr)
    losses = []
    for epoch in range(num_epochs):
        for X in data_iter:
            Z = torch.randn(len(X), latent_dim)
            loss_D = update_D(X, Z, net_D, net_G, loss, trainer_D)
            Z = torch.randn(len(X), latent_dim)
            loss_G = update_G(Z, net_D, net_G, loss, trainer_G)
            losses.append((loss_D, loss_G))
        print(f"epoch {epoch + 1}: loss_D {loss_D:.3f}, loss_G {loss_G:.3f}")
    return losses


# %% [markdown]
# ## Picture
# Both losses stay near ln 2 ≈ 0.69 while neither network wins: there D can only guess.

# %%
if __name__ == "__main__":
    torch.manual_seed(0)
    net_D, net_G = initialise(discriminator()), initialise(generator())
    train(net_D, net_G, load_data())
    fake = net_G(torch.randn(64, 100)).detach()  # (64, 1, 28, 28)
    grid = fake.reshape(8, 8, 28, 28).transpose(1, 2).reshape(224, 224)
    plt.imsave("mlp_torch.png", grid, cmap="gray")
