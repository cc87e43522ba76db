# %% [markdown]
# # A GAN in PyTorch, on points of the plane
#
# A generator G turns noise z into points x; a discriminator D says how probable it is that a point
# is a real one. They play min_G max_D E[log D(x)] + E[log(1 − D(G(z)))] (Goodfellow et al. 2014).
# Networks and numbers are those of d2l.ai, "Generative Adversarial Networks".

# %%
import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

# %% [markdown]
# ## Data
# Real points are x·A + b with x ~ N(0, I): a Gaussian of mean b and covariance AᵀA. A GAN is the
# most wasteful way to estimate those, and one whose result can be seen in a picture.


# %%
def load_data(batch_size=8):
    """1,000 points in batches X (B, 2), in another order every epoch."""
    A, b = torch.tensor([[1.0, 2.0], [-0.1, 0.5]]), torch.tensor([1.0, 2.0])
    data = torch.randn(1000, 2) @ A + b
    return DataLoader(data, batch_size, shuffle=True, drop_last=True)


# %% [markdown]
# ## Generator
# One linear layer is enough: z·Wᵀ + b is Gaussian wherever z is, and it can be the right one.


# %%
def generator():
    """Z (B, 2) → points (B, 2)."""
    return nn.Sequential(nn.Linear(2, 2))


# %% [markdown]
# ## Discriminator
# Three layers, the last of which gives a logit o: the probability is D(x) = 1 / (1 + exp(−o)).


# %%
def discriminator():
    """X (B, 2) → logits (B, 1)."""
    return nn.Sequential(
        nn.Linear(2, 5), nn.Tanh(),  # (B, 5)
        nn.Linear(5, 3), nn.Tanh(),  # (B, 3)
        nn.Linear(3, 1),  # (B, 1)
    )  # fmt: skip


# %% [markdown]
# ## Initialisation
# Weights from N(0, 0.02²), biases 0: all points begin near 0, and D knows nothing.


# %%
def initialise(net):
    """The network with new weights."""
    for layer in net:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0, 0.02)  # PyTorch's spread depends on the layer's size
            nn.init.zeros_(layer.bias)  # PyTorch draws the biases too
    return net


# %% [markdown]
# ## Loss
# The cross-entropy −y log D − (1 − y) log(1 − D) with the label y, 1 for real and 0 for fake,
# summed over the batch. It takes the logit, since the logarithm of a D rounded to 0 is infinite.


# %%
def loss(o, y):
    """The sum for logits o (B, 1) that all have the label y."""
    return F.binary_cross_entropy_with_logits(o, torch.full_like(o, y), reduction="sum")


# %% [markdown]
# ## Updates
# D lowers the cross-entropy of both labels. G does not raise it, which would leave no gradient
# where D is sure: it lowers −log D(G(z)) instead, that is, it asks for the label 1.


# %%
def update_D(X, Z, net_D, net_G, loss, trainer_D):
    """One update of D on real points X (B, 2) and on those that G makes of Z (B, 2): its loss."""
    trainer_D.zero_grad()
    fake_X = net_G(Z).detach()  # G stays as it is: no gradient has to go back into it
    loss_D = (loss(net_D(X), 1) + loss(net_D(fake_X), 0)) / 2
    loss_D.backward()
    trainer_D.step()
    return loss_D.item()


def update_G(Z, net_D, net_G, loss, trainer_G):
    """One update of G, through D, on Z (B, 2): its loss."""
    trainer_G.zero_grad()
    loss_G = loss(net_D(net_G(Z)), 1)
    loss_G.backward()  # leaves gradients with D too, which update_D clears
    trainer_G.step()
    return loss_G.item()


# %% [markdown]
# ## Training
# For every batch one update of D, then one of G on the same noise, each with an Adam of its own. D
# learns ten times as fast: what G is told is worth no more than what D knows.


# %%
def train(net_D, net_G, data_iter, num_epochs=20, lr_D=0.05, lr_G=0.005, latent_dim=2):
    """Both losses of every step."""
    trainer_D = torch.optim.Adam(net_D.parameters(), lr_D)
    trainer_G = torch.optim.Adam(net_G.parameters(), lr_G)
    losses = []
    for epoch in range(num_epochs):
        for X in data_iter:
            Z = torch.randn(len(X), latent_dim)
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
    torch.manual_seed(0)
    data_iter = load_data()
    net_D, net_G = initialise(discriminator()), initialise(generator())
    losses = train(net_D, net_G, data_iter)
    real, fake = next(iter(DataLoader(data_iter.dataset, 200))), net_G(torch.randn(200, 2)).detach()
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    left.plot(losses, label=["loss_D", "loss_G"])
    right.scatter(*real.T, label="real")
    right.scatter(*fake.T, label="fake")
    left.legend(), right.legend()
    figure.savefig("gaussian_torch.png")
