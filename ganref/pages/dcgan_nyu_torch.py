# %% [markdown]
# # DCGAN as NYU's course has it, in PyTorch
#
# A generator G turns noise z into an image x; a discriminator D says how probable it is that an
# image is a real one. They play min_G max_D E[log D(x)] + E[log(1 − D(G(z)))] (Goodfellow et al.
# 2014). After "Deep Learning", New York University, week 9; the course leaves rates, batch and
# initial weights to pytorch/examples.

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
def load_data(batch_size=64):
    """Batches X (B, 3, 64, 64), in another order every epoch."""
    data = torch.tensor(load_digits().images[:, None] / 8 - 1).float()  # (N, 1, 8, 8)
    data = F.interpolate(data, scale_factor=8).repeat(1, 3, 1, 1)  # grey as red, green and blue
    return DataLoader(data, batch_size, shuffle=True, drop_last=True)


# %% [markdown]
# ## Generator
# A transposed convolution lays a kernel over the output for each pixel, at twice their distance: 4
# → 8 → 16 → 32 → 64. It needs no bias, which batch normalisation would subtract again.


# %%
def up(n, m, stride=2, padding=1):
    """(B, n, h, w) → (B, m, 2h, 2w), normalised."""
    conv = nn.ConvTranspose2d(n, m, 4, stride, padding, bias=False)
    return conv, nn.BatchNorm2d(m), nn.ReLU()


def generator(n=64):
    """Z (B, 100, 1, 1) → images (B, 3, 64, 64); shapes below are of n = 64."""
    return nn.Sequential(
        *up(100, 8 * n, stride=1, padding=0),  # (B, 512, 4, 4)
        *up(8 * n, 4 * n),  # (B, 256, 8, 8)
        *up(4 * n, 2 * n),  # (B, 128, 16, 16)
        *up(2 * n, n),  # (B, 64, 32, 32)
        nn.ConvTranspose2d(n, 3, 4, 2, 1, bias=False), nn.Tanh(),  # (B, 3, 64, 64)
    )  # fmt: skip


# %% [markdown]
# ## Discriminator
# The same steps in reverse. The first has no batch normalisation: with it in every layer training
# was unstable (Radford, Metz and Chintala 2015). The sigmoid at the end is left to the loss.


# %%
def down(n, m):
    """(B, n, h, w) → (B, m, h/2, w/2), normalised."""
    conv = nn.Conv2d(n, m, 4, 2, 1, bias=False)
    return conv, nn.BatchNorm2d(m), nn.LeakyReLU(0.2)  # PyTorch's slope is 0.01


def discriminator(n=64):
    """X (B, 3, 64, 64) → logits (B, 1)."""
    return nn.Sequential(
        nn.Conv2d(3, n, 4, 2, 1, bias=False), nn.LeakyReLU(0.2),  # (B, 64, 32, 32)
        *down(n, 2 * n),  # (B, 128, 16, 16)
        *down(2 * n, 4 * n),  # (B, 256, 8, 8)
        *down(4 * n, 8 * n),  # (B, 512, 4, 4)
        nn.Conv2d(8 * n, 1, 4, bias=False), nn.Flatten(),  # (B, 1)
    )  # fmt: skip


# %% [markdown]
# ## Initialisation
# Kernels from N(0, 0.02²), the scales of batch normalisation from N(1, 0.02²), its shifts 0.


# %%
def initialise(net):
    """The network with new weights; PyTorch's shifts are 0."""
    for layer in net:
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, 0, 0.02)  # PyTorch's spread depends on the layer's size
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1, 0.02)  # PyTorch's scales are 1
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
# D lowers the cross-entropy of both labels. G does not raise it, which would leave no gradient
# where D is sure: it lowers −log D(G(z)) instead, that is, it asks for the label 1.


# %%
def update_D(X, Z, net_D, net_G, loss, trainer_D):
    """One update of D on images X (B, 3, 64, 64) and fakes of Z (B, 100, 1, 1): its loss."""
    trainer_D.zero_grad()
    fake_X = net_G(Z).detach()  # G stays as it is: no gradient has to go back into it
    loss_D = loss(net_D(X), 1) + loss(net_D(fake_X), 0)
    loss_D.backward()
    trainer_D.step()
    return loss_D.item()


def update_G(Z, net_D, net_G, loss, trainer_G):
    """One update of G, through D, on Z (B, 100, 1, 1): its loss."""
    trainer_G.zero_grad()
    loss_G = loss(net_D(net_G(Z)), 1)
    loss_G.backward()  # leaves gradients with D too, which update_D clears
    trainer_G.step()
    return loss_G.item()


# %% [markdown]
# ## Training
# For every batch one update of D, then one of G on the same noise. β₁ is 0.5, since training
# oscillates at 0.9 (Radford, Metz and Chintala 2015).


# %%
def train(net_D, net_G, data_iter, num_epochs=25, lr=2e-4, latent_dim=100):
    """Both losses of every step."""
    trainer_D = torch.optim.Adam(net_D.parameters(), lr, (0.5, 0.999))  # PyTorch's β₁ is 0.9
    trainer_G = torch.optim.Adam(net_G.parameters(), lr, (0.5, 0.999))
    losses = []
    for epoch in range(num_epochs):
        for X in data_iter:
            Z = torch.randn(len(X), latent_dim, 1, 1)
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
    torch.manual_seed(0)
    net_D, net_G = initialise(discriminator()), initialise(generator())
    train(net_D, net_G, load_data())
    net_G.eval()
    fake = net_G(torch.randn(64, 100, 1, 1)).detach()  # (64, 3, 64, 64)
    grid = fake.reshape(8, 8, 3, 64, 64).permute(0, 3, 1, 4, 2).reshape(512, 512, 3) / 2 + 0.5
    plt.imsave("dcgan_nyu_torch.png", grid)
