"""A network of ganref's NumPy export, in NumPy: a copy of this file lies beside it.

    net = numpy.load("generator.npz"); X = chain.forward(net, Z)

`net["layers"]` is a JSON list of the layers, in order; the tensors are `<network>.<layer>.<name>`.
Images are (batch, channels, height, width).
"""

import json

import numpy as np


def forward(net, x):
    """What the network makes of a batch."""
    network, layers = json.loads(str(net["layers"]))
    for i, layer in enumerate(layers):
        lead = f"{network}.{i}."
        tensors = {name[len(lead) :]: net[name] for name in net if name.startswith(lead)}
        x = FORWARD[layer.pop("kind")](x, tensors, **layer)
    return x


def dense(x, tensors):
    """y = x Wᵀ + b, with W (out, in)."""
    return x @ tensors["weight"].T + tensors.get("bias", 0)


def conv(x, tensors, stride, padding):
    """Cross-correlation with W (out, in, k, k); zeros are laid on before and after."""
    w = tensors["weight"]
    padded = np.pad(x, ((0, 0), (0, 0), padding, padding))
    windows = np.lib.stride_tricks.sliding_window_view(padded, w.shape[2:], (2, 3))
    y = np.tensordot(windows[:, :, ::stride, ::stride], w, ((1, 4, 5), (1, 2, 3)))
    return np.moveaxis(y, -1, 1) + tensors.get("bias", np.zeros(1, x.dtype))[:, None, None]


def conv_transpose(x, tensors, stride, padding):
    """Its transpose, with W (in, out, k, k): every pixel lays a kernel down; edges are cropped."""
    w, (before, after) = tensors["weight"], padding
    (n, _, h, v), k = x.shape, w.shape[2]
    y = np.zeros((n, w.shape[1], stride * (h - 1) + k, stride * (v - 1) + k), x.dtype)
    laid = np.tensordot(x, w, (1, 0))  # (batch, h, v, out, k, k)
    for i in range(k):
        for j in range(k):
            part = laid[..., i, j].transpose(0, 3, 1, 2)
            y[:, :, i : i + stride * h : stride, j : j + stride * v : stride] += part
    y = y[:, :, before : y.shape[2] - after, before : y.shape[3] - after]
    return y + tensors.get("bias", np.zeros(1, x.dtype))[:, None, None]


def batch_norm(x, tensors, eps):
    """By the running statistics: w (x - mean) / sqrt(var + eps) + b."""
    names = "weight", "bias", "running_mean", "running_var"
    w, b, mean, var = (tensors[name].reshape(-1, *[1] * (x.ndim - 2)) for name in names)
    return w * (x - mean) / np.sqrt(var + np.asarray(eps, var.dtype)) + b


FORWARD = {
    "Dense": dense,
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "BatchNorm": batch_norm,
    "LeakyReLU": lambda x, tensors, slope: np.where(x > 0, x, np.asarray(slope, x.dtype) * x),
    "Tanh": lambda x, tensors: np.tanh(x),
    "Sigmoid": lambda x, tensors: (1 + np.tanh(x / 2)) / 2,  # cannot overflow
    "Dropout": lambda x, tensors: x,  # there is none but in training
    "Reshape": lambda x, tensors, shape: x.reshape(len(x), *shape),
    "Flatten": lambda x, tensors: x.reshape(len(x), -1),
}
