"""d2l's loop in each framework's own layers, losses and optimiser, with the defaults that its tab
relies on: what the tabs of the spec are measured against.

Written from the facts of d2l.ai's two chapters on GANs. Each class takes the spec's weights, so
that only the semantics can differ; the networks are the aligned recipe's.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from ganref.backend import BACKENDS
from ganref.spec import Recipe
from ganref.spec import layers as spec

Weights = dict[str, np.ndarray]


def load(framework: str) -> Any:
    """The framework itself, imported as its backend imports it."""
    return importlib.import_module(f"{BACKENDS[framework].module}.framework")


class Torch:
    """The PyTorch tab: everything in training mode, gradients of sums."""

    def __init__(self, recipe: Recipe, weights: Weights) -> None:
        self.torch = torch = load("torch").torch
        self.nets = {}
        for network in recipe.networks:
            modules = [self._layer(layer) for layer in network.layers]
            net = self.nets[network.name] = torch.nn.Sequential(*modules).double()
            named = {f"{network.name}.{n}": t for n, t in net.state_dict().items()}
            for name in (p.name for p in network.params):
                named[name].copy_(torch.from_numpy(weights[name]))
        self.net_G, self.net_D = self.nets.values()
        self.loss = torch.nn.BCEWithLogitsLoss(reduction="sum")
        self.trainers = [
            torch.optim.Adam(net.parameters(), lr=adam.lr, betas=(adam.beta1, adam.beta2))
            for net, adam in ((self.net_D, recipe.adam_D), (self.net_G, recipe.adam_G))
        ]

    def _layer(self, layer: Any) -> Any:
        nn = self.torch.nn
        if isinstance(layer, spec.Dense):
            return nn.Linear(layer.in_features, layer.out_features)
        if isinstance(layer, spec.Conv):
            kind = nn.ConvTranspose2d if isinstance(layer, spec.ConvTranspose) else nn.Conv2d
            sizes = layer.in_channels, layer.out_channels, layer.kernel
            return kind(*sizes, layer.stride, layer.padding[0], bias=False)
        if isinstance(layer, spec.BatchNorm):
            return nn.BatchNorm2d(layer.features)
        return nn.Tanh() if isinstance(layer, spec.Tanh) else nn.LeakyReLU(layer.slope)

    def step(self, X: np.ndarray, Z: np.ndarray) -> tuple[float, float]:
        X, Z = self.torch.from_numpy(X), self.torch.from_numpy(Z)
        real_Y, fake_Y = self.net_D(X), self.net_D(self.net_G(Z).detach())
        ones, zeros = self.torch.ones_like(real_Y), self.torch.zeros_like(fake_Y)
        loss_D = (self.loss(real_Y, ones) + self.loss(fake_Y, zeros)) / 2
        self._update(self.trainers[0], loss_D)
        loss_G = self.loss(self.net_D(self.net_G(Z)), ones)
        self._update(self.trainers[1], loss_G)
        return loss_D.item(), loss_G.item()

    def _update(self, trainer: Any, loss: Any) -> None:
        trainer.zero_grad()
        loss.backward()
        trainer.step()

    def pictures(self, Z: np.ndarray) -> np.ndarray:
        return self.net_G(self.torch.from_numpy(Z)).detach().numpy()

    def state(self) -> Weights:
        return {
            f"{name}.{n}": tensor.numpy().copy()
            for name, net in self.nets.items()
            for n, tensor in net.state_dict().items()
            if tensor.ndim
        }


class TensorFlow:
    """The TensorFlow tab: nobody says that this is training. Keras' loss is a mean over the batch
    here, which the tab multiplies by the batch size."""

    def __init__(self, recipe: Recipe, weights: Weights) -> None:
        framework = load("tf")
        self.tf, self.keras = framework.tf, framework.keras
        self.nets, self.named = {}, {}
        for network in recipe.networks:
            layers = [self._layer(layer) for layer in network.layers]
            net = self.nets[network.name] = self.keras.Sequential(layers)
            shape = network.input_shape
            net.build((None, *shape[1:], shape[0]))
            for i, layer in enumerate(layers):
                short = {"kernel": "weight", "gamma": "weight", "beta": "bias"}
                short |= {"moving_mean": "running_mean", "moving_variance": "running_var"}
                for v in layer.weights:
                    name = f"{network.name}.{i}.{short.get(v.name, v.name)}"
                    self.named[name] = v
                    v.assign(_to_tf(weights[name]))
        self.net_G, self.net_D = self.nets.values()
        self.loss = self.keras.losses.BinaryCrossentropy(
            from_logits=True, reduction="sum", dtype="float64"
        )
        self.trainers = [
            self.keras.optimizers.Adam(adam.lr, beta_1=adam.beta1, beta_2=adam.beta2)
            for adam in (recipe.adam_D, recipe.adam_G)
        ]

    def _layer(self, layer: Any) -> Any:
        layers, how = self.keras.layers, {"dtype": "float64"}
        if isinstance(layer, spec.Dense):
            return layers.Dense(layer.out_features, **how)
        if isinstance(layer, spec.Conv):
            transposed = isinstance(layer, spec.ConvTranspose)
            kind = layers.Conv2DTranspose if transposed else layers.Conv2D
            padding = "same" if layer.padding[0] else "valid"
            sizes = layer.out_channels, layer.kernel, layer.stride
            return kind(*sizes, padding, use_bias=False, **how)
        if isinstance(layer, spec.BatchNorm):
            return layers.BatchNormalization(**how)
        tanh = isinstance(layer, spec.Tanh)
        return layers.Activation("tanh", **how) if tanh else layers.LeakyReLU(layer.slope, **how)

    def step(self, X: np.ndarray, Z: np.ndarray) -> tuple[float, float]:
        tf, batch = self.tf, len(X)
        X, Z = (np.moveaxis(a, 1, -1) if a.ndim == 4 else a for a in (X, Z))
        ones, zeros = np.ones(batch), np.zeros(batch)
        fake_X = self.net_G(Z)
        with tf.GradientTape() as tape:
            real_Y, fake_Y = tf.squeeze(self.net_D(X)), tf.squeeze(self.net_D(fake_X))
            loss_D = (self.loss(ones, real_Y) + self.loss(zeros, fake_Y)) * batch / 2
        self._update(self.trainers[0], tape, loss_D, self.net_D)
        with tf.GradientTape() as tape:
            loss_G = self.loss(ones, tf.squeeze(self.net_D(self.net_G(Z)))) * batch
        self._update(self.trainers[1], tape, loss_G, self.net_G)
        return float(loss_D), float(loss_G)

    def _update(self, trainer: Any, tape: Any, loss: Any, net: Any) -> None:
        grads = tape.gradient(loss, net.trainable_variables)
        trainer.apply_gradients(zip(grads, net.trainable_variables, strict=True))

    def pictures(self, Z: np.ndarray) -> np.ndarray:
        return np.moveaxis(self.net_G(np.moveaxis(Z, 1, -1)).numpy(), -1, 1)

    def state(self) -> Weights:
        return {name: _from_tf(v.numpy()) for name, v in self.named.items()}


class MXNet:
    """The MXNet tab: a loss per example, whose gradients the trainer divides by the batch size."""

    def __init__(self, recipe: Recipe, weights: Weights) -> None:
        self.mx = load("mxnet")
        gluon, self.named = self.mx.gluon, {}
        nets = []
        for network in recipe.networks:
            net = gluon.nn.Sequential()
            for i, layer in enumerate(network.layers):
                net.add(self._layer(layer))
                for p in net[i].collect_params().values():
                    for end, short in _MXNET_NAMES.items():
                        if p.name.endswith(end):
                            self.named[f"{network.name}.{i}.{short}"] = p
            net.initialize("zeros")
            net.cast("float64")
            nets.append(net)
        self.net_G, self.net_D = nets
        for name, p in self.named.items():
            p.set_data(self.mx.np.array(weights[name], dtype="float64"))
        self.loss = gluon.loss.SigmoidBCELoss()
        self.trainers = [
            gluon.Trainer(
                net.collect_params(),
                "adam",
                {"learning_rate": adam.lr, "beta1": adam.beta1, "beta2": adam.beta2},
            )
            for net, adam in ((self.net_D, recipe.adam_D), (self.net_G, recipe.adam_G))
        ]

    def _layer(self, layer: Any) -> Any:
        nn = self.mx.gluon.nn
        if isinstance(layer, spec.Dense):
            return nn.Dense(layer.out_features, in_units=layer.in_features)
        if isinstance(layer, spec.Conv):
            transposed = isinstance(layer, spec.ConvTranspose)
            kind = nn.Conv2DTranspose if transposed else nn.Conv2D
            sizes = layer.out_channels, layer.kernel, layer.stride, layer.padding
            return kind(*sizes, use_bias=False, in_channels=layer.in_channels)
        if isinstance(layer, spec.BatchNorm):
            return nn.BatchNorm(in_channels=layer.features)
        tanh = isinstance(layer, spec.Tanh)
        return nn.Activation("tanh") if tanh else nn.LeakyReLU(layer.slope)

    def step(self, X: np.ndarray, Z: np.ndarray) -> tuple[float, float]:
        np_, record, batch = self.mx.np, self.mx.autograd.record, len(X)
        X, Z = (np_.array(a, dtype="float64") for a in (X, Z))
        ones, zeros = np_.ones(batch, dtype="float64"), np_.zeros(batch, dtype="float64")
        with record():
            real_Y, fake_Y = self.net_D(X), self.net_D(self.net_G(Z).detach())
            loss_D = (self.loss(real_Y, ones) + self.loss(fake_Y, zeros)) / 2
        loss_D.backward()
        self.trainers[0].step(batch)
        with record():
            loss_G = self.loss(self.net_D(self.net_G(Z)), ones)
        loss_G.backward()
        self.trainers[1].step(batch)
        return float(loss_D.sum()), float(loss_G.sum())

    def pictures(self, Z: np.ndarray) -> np.ndarray:
        return self.net_G(self.mx.np.array(Z, dtype="float64")).asnumpy()

    def state(self) -> Weights:
        return {name: p.data().asnumpy() for name, p in self.named.items()}


_MXNET_NAMES = {
    "_weight": "weight",
    "_bias": "bias",
    "_gamma": "weight",
    "_beta": "bias",
    "_running_mean": "running_mean",
    "_running_var": "running_var",
}

LOOPS = {"torch": Torch, "tf": TensorFlow, "mxnet": MXNet}
TAB = {"torch": "pytorch", "tf": "tensorflow", "mxnet": "mxnet"}


def _to_tf(array: np.ndarray) -> np.ndarray:
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T


def _from_tf(array: np.ndarray) -> np.ndarray:
    return array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T
