"""Networks of others in PyTorch, built as their authors build them: our own lines, their names."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

import torch
from torch import Tensor, nn

Z, W = 12, 4  # latent size and width, small


class Main(nn.Module):
    """A network that is called `main` in its module (PyTorch's examples, gan-vae-pretrained)."""

    def __init__(self, layers: Iterable[nn.Module], name: str = "main") -> None:
        super().__init__()
        self.called = name
        setattr(self, name, nn.Sequential(*layers))

    def forward(self, x: Tensor) -> Tensor:
        return getattr(self, self.called)(x)


def up(n: int, m: int, k: int = 4, s: int = 2, p: int = 1) -> list[nn.Module]:
    return [nn.ConvTranspose2d(n, m, k, s, p, bias=False), nn.BatchNorm2d(m), nn.ReLU(True)]


def down(n: int, m: int, k: int = 4, s: int = 2, p: int = 1, norm: bool = True) -> list[nn.Module]:
    own = [nn.BatchNorm2d(m)] if norm else []
    return [nn.Conv2d(n, m, k, s, p, bias=False), *own, nn.LeakyReLU(0.2, inplace=True)]


def ups(z: int = Z, w: int = W) -> list[nn.Module]:
    return [*up(z, 8 * w, 4, 1, 0), *up(8 * w, 4 * w), *up(4 * w, 2 * w), *up(2 * w, w)]


def example_G(z: int = Z, w: int = W, channels: int = 3) -> nn.Module:
    last = nn.ConvTranspose2d(w, channels, 4, 2, 1, bias=False)
    return Main([*ups(z, w), last, nn.Tanh()])


def example_D(w: int = W, channels: int = 3, first: bool = False) -> nn.Module:
    blocks = down(channels, w, norm=first) + down(w, 2 * w) + down(2 * w, 4 * w)
    last = nn.Conv2d(8 * w, 1, 4, 1, 0, bias=False)
    return Main([*blocks, *down(4 * w, 8 * w), last, nn.Sigmoid()])


class NamedG(nn.Module):
    """Layers as attributes and a forward pass by hand (DCGAN-PyTorch)."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [Z, 8 * W, 4 * W, 2 * W, W]
        for i in range(4):
            how = (4, 2, 1) if i else (4, 1, 0)
            conv = nn.ConvTranspose2d(sizes[i], sizes[i + 1], *how, bias=False)
            setattr(self, f"tconv{i + 1}", conv)
            setattr(self, f"bn{i + 1}", nn.BatchNorm2d(sizes[i + 1]))
        self.tconv5 = nn.ConvTranspose2d(W, 3, 4, 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        for i in range(1, 5):
            x = torch.relu(getattr(self, f"bn{i}")(getattr(self, f"tconv{i}")(x)))
        return torch.tanh(self.tconv5(x))


class NamedD(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        sizes = [3, W, 2 * W, 4 * W, 8 * W]
        for i in range(4):
            setattr(self, f"conv{i + 1}", nn.Conv2d(sizes[i], sizes[i + 1], 4, 2, 1, bias=False))
            if i:
                setattr(self, f"bn{i + 1}", nn.BatchNorm2d(sizes[i + 1]))
        self.conv5 = nn.Conv2d(8 * W, 1, 4, 1, 0, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        act = nn.functional.leaky_relu
        x = act(self.conv1(x), 0.2)
        for i in range(2, 5):
            x = act(getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(x)), 0.2)
        return torch.sigmoid(self.conv5(x))


class ZooG(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.formatLayer = nn.ConvTranspose2d(Z, 8 * W, 4, 1, 0, bias=False)
        layers: OrderedDict[str, nn.Module] = OrderedDict(batchNorm0=nn.BatchNorm2d(8 * W))
        layers["relu0"] = nn.ReLU(True)
        for i, n in enumerate((8 * W, 4 * W, 2 * W), 1):
            for name, layer in zip(
                ("convTranspose", "batchNorm", "relu"), up(n, n // 2), strict=True
            ):
                layers[f"{name}{i}"] = layer
        layers["outlayer"] = nn.ConvTranspose2d(W, 3, 4, 2, 1, bias=False)
        self.main = nn.Sequential(layers)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.main(self.formatLayer(x)))


class ZooD(nn.Module):
    def __init__(self, outputs: int = 1) -> None:
        super().__init__()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for i, n in enumerate((3, W, 2 * W, 4 * W)):
            parts = down(n, W if i == 0 else 2 * n, norm=i > 0)
            names = ("convTranspose", "batchNorm", "relu") if i else ("convTranspose", "relu")
            for name, layer in zip(names, parts, strict=True):
                layers[f"{name}{3 - i}"] = layer
        self.main = nn.Sequential(layers)
        self.decisionLayer = nn.Conv2d(8 * W, outputs, 4, 1, 0, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.decisionLayer(self.main(x)).flatten(1)


class BlockG(nn.Module):
    """d2l.ai's blocks."""

    def __init__(self, n: int, m: int, s: int = 2, p: int = 1) -> None:
        super().__init__()
        self.conv2d_trans, self.batch_norm, self.activation = up(n, m, 4, s, p)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.batch_norm(self.conv2d_trans(x)))


class BlockD(nn.Module):
    def __init__(self, n: int, m: int) -> None:
        super().__init__()
        self.conv2d, self.batch_norm, self.activation = down(n, m)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.batch_norm(self.conv2d(x)))


def d2l() -> tuple[nn.Module, nn.Module]:
    G = [BlockG(Z, 8 * W, 1, 0), BlockG(8 * W, 4 * W), BlockG(4 * W, 2 * W), BlockG(2 * W, W)]
    D = [BlockD(3, W), BlockD(W, 2 * W), BlockD(2 * W, 4 * W), BlockD(4 * W, 8 * W)]
    return (
        nn.Sequential(*G, nn.ConvTranspose2d(W, 3, 4, 2, 1, bias=False), nn.Tanh()),
        nn.Sequential(*D, nn.Conv2d(8 * W, 1, 4, bias=False)),
    )


def pixel(channels: int, padding: int) -> nn.Module:
    last = nn.ConvTranspose2d(W, channels, kernel_size=1, stride=1, padding=padding, bias=False)
    return Main([*ups(), last, nn.Tanh()])


def csinva_mnist() -> tuple[nn.Module, nn.Module]:
    blocks = down(1, W, norm=False) + down(W, 2 * W) + down(2 * W, 4 * W)
    D = Main([*blocks, nn.Conv2d(4 * W, 1, 4, 2, 1, bias=False), nn.Sigmoid()])
    return pixel(1, 2), D


def csinva_cifar() -> tuple[nn.Module, nn.Module]:
    blocks = down(3, W, norm=False) + down(W, 2 * W) + down(2 * W, 4 * W) + down(4 * W, 8 * W)
    return pixel(3, 0), Main([*blocks, nn.Conv2d(8 * W, 1, 2, 2, 0, bias=False), nn.Sigmoid()])


def csinva_mlp() -> tuple[nn.Module, nn.Module]:
    leaky, n = nn.LeakyReLU(0.2), 28 * 28
    D = [nn.Linear(n, 16), leaky, nn.Linear(16, 16), leaky, nn.Linear(16, 1), nn.Sigmoid()]
    G = [nn.Linear(Z, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, n), nn.Tanh()]
    return nn.Sequential(*G), nn.Sequential(*D)


def labml() -> tuple[nn.Module, nn.Module]:
    last = nn.ConvTranspose2d(W, 1, 4, 2, 1, bias=False)
    G = [*up(Z, 4 * W, 3, 1, 0), *up(4 * W, 2 * W, 3, 2, 0), *up(2 * W, W), last, nn.Tanh()]
    D = [*down(1, W, norm=False), *down(W, 2 * W), *down(2 * W, 4 * W, 3, 2, 0)]
    return Main(G, "layers"), Main([*D, nn.Conv2d(4 * W, 1, 3, 1, 0, bias=False)], "layers")


PAIRS = {
    "pytorch-examples": lambda: (example_G(), example_D()),
    "dcgan-pytorch": lambda: (NamedG(), NamedD()),
    "gan-zoo": lambda: (ZooG(), ZooD()),
    "d2l": d2l,
    "csinva-mnist": csinva_mnist,
    "csinva-cifar": csinva_cifar,
    "csinva-mlp": csinva_mlp,
    "labml": labml,
}


def at_random(net: nn.Module, seed: int = 0) -> nn.Module:
    """Every number drawn, running statistics too: nothing may pass because it is 0 or 1."""
    draw = torch.Generator().manual_seed(seed)
    for tensor in [*net.parameters(), *net.buffers()]:
        if tensor.is_floating_point():
            fan = tensor[0].numel() if tensor.ndim > 1 else 1
            values = torch.randn(tensor.shape, generator=draw, dtype=torch.float64)
            values = values / fan**0.5 if tensor.ndim > 1 else values.abs() + 0.5
            tensor.data.copy_(values)
    return net.eval()
