"""The loop that an experienced MXNet user writes first, for any recipe: Gluon's layers in a
Sequential, its trainer with "adam", record(), backward() and step(), eagerly and one update at a
time. It is what the backend's speed is measured against, and shares no code with it but the import
of MXNet, which fails today without help.

The library's defaults stay where a first version would leave them: running statistics change in the
backward pass, their variances are biased, and Adam's constants pass through float32. D's gradients
in G's update are computed and thrown away, and G's forward pass is computed in both updates.
"""

from __future__ import annotations

import math
from typing import Any

import numpy

from ganref.mxnet.framework import autograd, gluon, np, resolve_device
from ganref.spec import Adam, Network, Recipe, UserError
from ganref.spec import layers as spec

nn = gluon.nn
Array = Any


class GivenDropout(nn.Dropout):
    """Dropout that keeps what it is told to, so that other frameworks can drop the same."""

    kept: Array = None

    def forward(self, x: Array) -> Array:
        """MXNet's own dropout unless `kept` is set."""
        return super().forward(x) if self.kept is None else x * self.kept / (1 - self._rate)


class InDouble(nn.Sequential):
    """A block that computes in float64: MXNet 1.9.1 fails in float32 in the backward pass of a
    transposed convolution to a single channel."""

    def __init__(self, block: Any) -> None:
        super().__init__(prefix=block.prefix)
        self.add(block)

    def cast(self, dtype: str) -> None:
        """Only what comes out is cast; the weights stay in float64."""
        super().cast("float64")
        self.dtype = dtype

    def forward(self, x: Array) -> Array:
        """The block's output in the type that the others have."""
        return super().forward(x.astype("float64")).astype(self.dtype)


def gluon_layers(layer: spec.Layer, shape: tuple[int, ...]) -> list[Any]:
    """The blocks that do what the spec's layer does to a batch; `shape` is its input's."""
    if isinstance(layer, spec.Dense):
        return [nn.Dense(layer.out_features, use_bias=layer.bias, in_units=layer.in_features)]
    if isinstance(layer, spec.Conv):
        return _convolution(layer)
    if isinstance(layer, spec.BatchNorm):
        own = {"momentum": layer.momentum, "epsilon": layer.eps, "in_channels": layer.features}
        return [nn.BatchNorm(use_global_stats=not layer.batch_stats, **own)]
    if isinstance(layer, spec.LeakyReLU):
        return [nn.LeakyReLU(layer.slope) if layer.slope else nn.Activation("relu")]
    if isinstance(layer, spec.Dropout):
        return [GivenDropout(layer.rate)]
    if isinstance(layer, (spec.Reshape, spec.Flatten)):
        out = layer.out_shape(shape)
        return [nn.Flatten() if len(out) == 1 else nn.Lambda(lambda x: x.reshape(-1, *out))]
    return [nn.Activation({spec.Tanh: "tanh", spec.Sigmoid: "sigmoid"}[type(layer)])]


def _convolution(layer: spec.Conv) -> list[Any]:
    transposed = isinstance(layer, spec.ConvTranspose)
    kind = nn.Conv2DTranspose if transposed else nn.Conv2D
    before, after = layer.padding
    padding = before if transposed or before == after else 0
    size = layer.out_channels, layer.kernel, layer.stride, padding
    main = kind(*size, use_bias=layer.bias, in_channels=layer.in_channels)
    if transposed and layer.out_channels == 1:
        main = InDouble(main)
    if before == after:
        return [main]
    if transposed:
        return [main, nn.Lambda(lambda y: y[:, :, :-1, :-1])]
    sides = (0, 0), (0, 0), layer.padding, layer.padding
    return [nn.Lambda(lambda x: np.pad(x, sides)), main]


def build(
    network: Network, first: int, end: int, weights: dict[str, numpy.ndarray], dtype: str, ctx: Any
) -> Any:
    """A Sequential of the spec's layers `first` to `end`, with these weights."""
    net = nn.Sequential()
    for i in range(first, end):
        for block in gluon_layers(network.layers[i], network.shapes[i]):
            net.add(block)
            block.initialize("zeros", ctx=ctx)
            block.cast(dtype)
            for name, param in block.collect_params().items():
                short = name.removeprefix(block.prefix)
                short = {"gamma": "weight", "beta": "bias"}.get(short, short)
                array = np.array(weights[f"{network.name}.{i}.{short}"], dtype=param.dtype)
                param.set_data(array)
    return net


class PlainGAN:
    """Two networks, two trainers and a loop."""

    def __init__(
        self, recipe: Recipe, weights: dict[str, numpy.ndarray], device: str, dtype: str
    ) -> None:
        if recipe.loss.r1:
            raise UserError("MXNet's convolutions have no second derivative, which R1 takes")
        self.recipe, self.ctx, self.dtype = recipe, resolve_device(device), dtype
        G, D = recipe.generator, recipe.discriminator
        # An energy is an autoencoder: its code is read between the two halves.
        code = len(D.layers) if D.code is None else D.code + 1
        self.net_G = build(G, 0, len(G.layers), weights, dtype, self.ctx)
        self.encoder = build(D, 0, code, weights, dtype, self.ctx)
        self.decoder = build(D, code, len(D.layers), weights, dtype, self.ctx)
        self.net_D = nn.Sequential()
        self.net_D.add(self.encoder, self.decoder)
        self.drops = [b for b in self.encoder if isinstance(b, GivenDropout)]
        self.trainer_D = _trainer(self.net_D, recipe.adam_D)
        self.trainer_G = _trainer(self.net_G, recipe.adam_G)
        self.bce = gluon.loss.SigmoidBCELoss()
        # MXNet crashes when it adds up two gradients to a transposed kernel by itself.
        self.apart = any(isinstance(layer, spec.ConvTranspose) for layer in D.layers)
        if self.apart:
            self.net_D.collect_params().setattr("grad_req", "add")
        params = self.net_G.collect_params().values()
        self.params_G = [p.data() for p in params if p.grad_req != "null"]
        self.average = [p.copy() for p in self.params_G]

    def train_steps(
        self, X: numpy.ndarray, Z: numpy.ndarray, Z_G: Any = None, masks: Any = None
    ) -> tuple[numpy.ndarray, numpy.ndarray]:
        """k steps on X (k, B, *data) and Z (k, B, *latent): (loss_D, loss_G), each (k,)."""
        losses_D, losses_G = [], []
        for i in range(len(X)):
            kept = [self._array(mask[i]) for mask in (masks or {}).values()]
            losses_D.append(self.update_D(self._array(X[i]), self._array(Z[i]), kept))
            for j in range(self.recipe.G_updates):
                latent = self._array(Z[i] if Z_G is None else Z_G[i, j])
                loss_G = self.update_G(latent, [mask[2 + j] for mask in kept])
            losses_G.append(loss_G)
        return numpy.array(losses_D, self.dtype), numpy.array(losses_G, self.dtype)

    def update_D(self, X: Array, Z: Array, kept: list[Array]) -> float:
        """One update of the discriminator."""
        loss = self.recipe.loss
        with autograd.record():
            fake_X = self.net_G(Z)
        fake_X = fake_X.detach().as_np_ndarray()
        if self.apart:
            self.net_D.collect_params().zero_grad()
            with autograd.record():
                real = loss.scale_D * self._real(X, kept)
            real.backward()
            with autograd.record():
                fake = loss.scale_D * self._fake(fake_X, kept)
            fake.backward()
            loss_D = real + fake
        else:
            with autograd.record():
                loss_D = loss.scale_D * (self._real(X, kept) + self._fake(fake_X, kept))
            loss_D.backward()
        self._step(self.trainer_D, self.recipe.adam_D)
        return float(loss_D)

    def update_G(self, Z: Array, kept: list[Array]) -> float:
        """One update of the generator."""
        loss = self.recipe.loss
        with autograd.record():
            fake_X = self.net_G(Z)
            fake_Y, codes = self.discriminate(fake_X, kept)
            if loss.energy:
                loss_G = self._reduce(fake_Y)
            elif loss.minimax:
                loss_G = -self._reduce(self.bce(fake_Y, np.zeros_like(fake_Y)))
            else:
                loss_G = self._reduce(self.bce(fake_Y, np.ones_like(fake_Y)))
            if loss.needs_codes:
                loss_G = loss_G + loss.repelling * _pulling_away(codes)
        loss_G.backward()
        if self.apart:
            self.net_D.collect_params().zero_grad()
        self._step(self.trainer_G, self.recipe.adam_G)
        if self.recipe.ema:
            for average, p in zip(self.average, self.params_G, strict=True):
                average += (1 - self.recipe.ema) * (p - average)
        return float(loss_G)

    def discriminate(self, x: Array, kept: list[Array]) -> tuple[Array, Array]:
        """(logits or energies (B,), codes) in training mode."""
        for layer, mask in zip(self.drops, kept, strict=bool(kept)):
            layer.kept = mask
        codes = self.encoder(x)
        if self.recipe.discriminator.code is None:
            return codes.reshape(-1), codes
        error = (self.decoder(codes) - x).reshape(len(x), -1)
        return np.square(error).mean(1), codes

    def _real(self, X: Array, kept: list[Array]) -> Array:
        output, _ = self.discriminate(X, [mask[0] for mask in kept])
        if self.recipe.loss.energy:
            return self._reduce(output)
        return self._reduce(self.bce(output, np.full_like(output, self.recipe.loss.real_label)))

    def _fake(self, fake_X: Array, kept: list[Array]) -> Array:
        output, _ = self.discriminate(fake_X, [mask[1] for mask in kept])
        if self.recipe.loss.energy:
            return self._reduce(np.maximum(self.recipe.loss.margin - output, 0))
        return self._reduce(self.bce(output, np.zeros_like(output)))

    def _reduce(self, terms: Array) -> Array:
        return terms.sum() if self.recipe.loss.reduction == "sum" else terms.mean()

    def _step(self, trainer: Any, adam: Adam) -> None:
        if adam.eps_form == "corrected":
            # MXNet adds epsilon before the correction: this one is the recipe's after it.
            step = trainer.optimizer.num_update + 1
            trainer.optimizer.epsilon = adam.eps * math.sqrt(1 - adam.beta2**step)
        trainer.step(self.recipe.batch_size if adam.mean_gradients else 1)

    def _array(self, array: numpy.ndarray) -> Array:
        return np.array(array, dtype=self.dtype, ctx=self.ctx)


def _trainer(net: Any, adam: Adam) -> Any:
    numbers = {"learning_rate": adam.lr, "beta1": adam.beta1, "beta2": adam.beta2}
    return gluon.Trainer(net.collect_params(), "adam", numbers | {"epsilon": adam.eps})


def _pulling_away(codes: Array) -> Array:
    flat = codes.reshape(len(codes), -1)
    unit = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    squares = np.square(np.dot(unit, unit.T))
    others = squares.sum() - np.trace(squares)
    return others / (len(codes) * (len(codes) - 1))


def create(
    recipe: Recipe,
    weights: dict[str, numpy.ndarray],
    device: str = "cpu",
    dtype: str = "float32",
) -> PlainGAN:
    """A GAN with these initial weights."""
    return PlainGAN(recipe, weights, device, dtype)
