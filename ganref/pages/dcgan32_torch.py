# %% [markdown]
# # A convolutional GAN for small images in PyTorch
#
# A generator G turns noise z into an image x; a discriminator D says how probable it is that an
# image is a real one. They play min_G max_D E[log D(x)] + E[log(1 − D(G(z)))] (Goodfellow et al.
# 2014). After T. Silva, "An intuitive introduction to Generative Adversarial Networks".

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
    """Batches X (B, 1, 32, 32), in another order every epoch."""
    data = torch.tensor(load_digits().images[:, None] / 8 - 1).float()  # (N, 1, 8, 8)
    data = F.interpolate(data, scale_factor=4)  # (N, 1, 32, 32)
    return DataLoader(data, batch_size, shuffle=True, drop_last=True)


# %% [markdown]
# ## Generator
# A dense layer makes 512 maps of 4×4, transposed convolutions double their sides. Padding is
# TensorFlow's "same": at stride 2 a kernel of 5 sticks out by 1 row above and by 2 below.


# %%
def up(n, m):
    """(B, n, h, w) → (B, m, 2h, 2w): PyTorch pads alike on all sides, so the last row has to go."""
    return nn.ConvTranspose2d(n, m, 5, 2, padding=1), nn.ZeroPad2d((0, -1, 0, -1))


def generator(n=64):
    """Z (B, 100) → images (B, 1, 32, 32); shapes below are of n = 64."""
    return nn.Sequential(
        nn.Linear(100, 128 * n), nn.Unflatten(1, (8 * n, 4, 4)),
        nn.BatchNorm2d(8 * n), nn.ReLU(),  # (B, 512, 4, 4)
        *up(8 * n, 4 * n), nn.BatchNorm2d(4 * n), nn.ReLU(),  # (B, 256, 8, 8)
        *up(4 * n, 2 * n), nn.BatchNorm2d(2 * n), nn.ReLU(),  # (B, 128, 16, 16)
        *up(2 * n, 1), nn.Tanh(),  # (B, 1, 32, 32)
    )  # fmt: skip


# %% [markdown]
# ## Discriminator
# Three convolutions halve the sides, 32 → 16 → 8 → 4, with the same padding. A dense layer gives a
# logit o, with D(x) = 1 / (1 + exp(−o)).


# %%
def down(n, m):
    """(B, n, h, w) → (B, m, h/2, w/2): one row of zeros before the image, two behind it."""
    return nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(n, m, 5, 2)


def discriminator(n=64):
    """X (B, 1, 32, 32) → logits (B, 1)."""
    return nn.Sequential(
        *down(1, n), nn.LeakyReLU(0.2),  # (B, 64, 16, 16); PyTorch's slope is 0.01
        *down(n, 2 * n), nn.BatchNorm2d(2 * n), nn.LeakyReLU(0.2),  # (B, 128, 8, 8)
        *down(2 * n, 4 * n), nn.BatchNorm2d(4 * n), nn.LeakyReLU(0.2),  # (B, 256, 4, 4)
        nn.Flatten(), nn.Linear(64 * n, 1),  # (B, 1)
    )  # fmt: skip


# %% [markdown]
# ## Initialisation
# Weights from N(0, 0.02²), biases 0; batch normalisation begins with scale 1 and shift 0.


# %%
def initialise(net):
    """The network with new weights."""
    for layer in net:
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, 0, 0.02)  # PyTorch's spread depends on the layer's size
            nn.init.zeros_(layer.bias)  # PyTorch draws the biases too
    return net


# %% [markdown]
# ## Loss
# The cross-entropy −y log D − (1 − y) log(1 − D) with the label y, as the mean of the batch. It
# takes the logit, since the logarithm of a D rounded to 0 is infinite.


# %%
def loss(o, y):
    """The mean for logits o (B, 1) that all have the label y."""
    return F.binary_cross_entropy_with_logits(o, torch.full_like(o, y))


# %% [markdown]
# ## Updates
# Real images have the label 0.9 where D learns: a D that need not be sure leaves G a gradient. G
# asks for the full 1, that is, it lowers −log D(G(z)).


# %%
def update_D(X, Z, net_D, net_G, loss, trainer_D):
    """One update of D on images X (B, 1, 32, 32) and fakes of Z (B, 100): its loss."""
    trainer_D.zero_grad()
    fake_X = net_G(Z).detach()  # G stays as it is: no gradient has to go back into it
    loss_D = loss(net_D(X), 0.9) + loss(net_D(fake_X), 0)
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
# For every batch one update of D, then two of G on the same noise, since D learns faster. β₁ is
# 0.5, since training oscillates at 0.9 (Radford, Metz and Chintala 2015).


# %%
def train(net_D, net_G, data_iter, num_epochs=25, lr=2e-4, latent_dim=100):
    """Both losses of every step."""
    trainer_D = torch.optim.Adam(net_D.parameters(), lr, (0.5, 0.999))  # PyTorch's β₁ is 0.9
    trainer_G = torch.optim.Adam(net_G.parameters(), lr, (0.5, 0.999))
    losses = []
    for epoch in range(num_epochs):
        for X in data_iter:
            Z = torch.randn(len(X), latent_dim)
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
    torch.manual_seed(0)
    net_D, net_G = initialise(discriminator()), initialise(generator())
    train(net_D, net_G, load_data())
    net_G.eval()
    fake = net_G(torch.randn(64, 100)).detach()  # (64, 1, 32, 32)
    grid = fake.reshape(8, 8, 32, 32).transpose(1, 2).reshape(256, 256)
    plt.imsave("dcgan32_torch.png", grid, cmap="gray")
