"""What each installed framework does when nobody says anything, by asking it.

Signatures are read, layers constructed, and what no signature tells (the place of epsilon, the
running variance, the mode, the padding of "same") is found by running one layer or one update.
Every function gives cells by the rows of `make_defaults`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Cells = dict[str, str]
NONE = "—"  # what a framework does not have

# Four values of one channel: mean 1, variance 3, or 4 unbiased.
BATCH = np.array([[0], [0], [0], [4]], np.float32)
# Large enough for the largest weight to show the bound that all keep to.
DENSE, CONV, KERNEL = (300, 200), (60, 40), 5
FANS = {"Dense": DENSE} | dict.fromkeys(("Conv", "ConvTranspose"), (60 * 25, 40 * 25))
# One update from 0 with this gradient and epsilon, at rate 1, tells where epsilon is.
GRADIENT = EPSILON = 1e-6
# A gradient and a batch for an update whose size shows what becomes of gradients.
LARGE, EXAMPLES = 8.0, 8


def torch_optimiser(framework: Any) -> Cells:
    """PyTorch's Adam."""
    torch, adam = framework.torch, framework.torch.optim.Adam

    def update(gradient: float, make: Callable, **how: Any) -> float:
        p = torch.zeros(1, requires_grad=True)
        (p * gradient).sum().backward()
        make([p], lr=1.0, **how).step()
        return -p.item()

    return {
        "learning rate": default(adam, "lr"),
        "β₁, β₂": default(adam, "betas"),
        "ε": default(adam, "eps"),
        "place of ε": place_of_eps(update(GRADIENT, adam, eps=EPSILON)),
        "gradients": scale(update(LARGE, torch.optim.SGD) / LARGE),
    }


def torch_norm(framework: Any) -> Cells:
    """PyTorch's batch normalisation."""
    norm = framework.torch.nn.BatchNorm1d(1)
    tensors = norm.weight, norm.bias, norm.running_mean, norm.running_var
    start = number([t.item() for t in tensors])
    norm(framework.torch.from_numpy(BATCH))
    return {
        "ε of γ(x − μ)/√(σ² + ε) + β": default(norm.__class__, "eps"),
        "momentum as written": default(norm.__class__, "momentum"),
        **norm_facts(norm.running_mean.item(), norm.running_var.item()),
        "running statistics change": "in forward",
        "mode where none is given": "training" if norm.training else "inference",
        "γ, β, mean, variance at start": start,
    }


def torch_layers(framework: Any) -> Cells:
    """PyTorch's other layers and its loss."""
    torch, nn = framework.torch, framework.torch.nn
    torch.manual_seed(0)
    made = {"Dense": nn.Linear(*DENSE), "Conv": nn.Conv2d(*CONV, KERNEL)}
    made["ConvTranspose"] = nn.ConvTranspose2d(*CONV, KERNEL)
    weights = {name: layer.weight.detach().numpy() for name, layer in made.items()}

    def slope(layer: Any) -> str:
        x = torch.zeros(1, requires_grad=True)
        layer(x).sum().backward()
        return number(x.grad.item())

    try:
        nn.Conv2d(1, 1, 5, 2, padding="same")
        same = "accepted"
    except ValueError:
        same = "refused"
    zeros, ones = torch.zeros(4), torch.ones(100)
    return {
        **distributions(weights),
        "biases": biases({name: layer.bias.detach().numpy() for name, layer in made.items()}),
        "padding": default(nn.Conv2d, "padding"),
        '"same", k5 s2 on 32': same,
        "bias": default(nn.Conv2d, "bias"),
        "data layout": data_layout(nn.Conv2d(3, 7, 1)(torch.zeros(1, 3, 4, 5)).shape),
        "kernel layouts": kernel_layouts({name: w.shape for name, w in weights.items()}),
        "LeakyReLU slope": default(nn.LeakyReLU, "negative_slope"),
        "derivative at 0, slope 0.2": slope(nn.LeakyReLU(0.2)),
        "derivative of ReLU at 0": slope(nn.ReLU()),
        "dropout rate": default(nn.Dropout, "p"),
        "what is kept is multiplied by": kept_times(nn.Dropout(0.3)(ones).numpy()),
        "dropout where no mode is given": drops(nn.functional.dropout(ones).numpy()),
        "takes": "logits (`BCEWithLogitsLoss`)",
        "four examples give": reduction(nn.BCEWithLogitsLoss()(zeros, zeros).numpy()),
    }


def tf_optimiser(framework: Any) -> Cells:
    """Keras' Adam."""
    tf, optimizers = framework.tf, framework.keras.optimizers

    def update(gradient: float, optimiser: Any) -> float:
        p = tf.Variable([0.0])
        optimiser.apply_gradients([(tf.constant([gradient]), p)])
        return -float(p[0])

    adam = optimizers.Adam
    return {
        "learning rate": default(adam, "learning_rate"),
        "β₁, β₂": f"{default(adam, 'beta_1')}, {default(adam, 'beta_2')}",
        "ε": default(adam, "epsilon"),
        "place of ε": place_of_eps(update(GRADIENT, adam(1.0, epsilon=EPSILON))),
        "gradients": scale(update(LARGE, optimizers.SGD(1.0)) / LARGE),
    }


def tf_norm(framework: Any) -> Cells:
    """Keras' batch normalisation."""
    norm = framework.keras.layers.BatchNormalization()
    norm.build((None, 1))
    tensors = norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance
    start = number([v.numpy().item() for v in tensors])
    norm(BATCH)
    mode = "training" if norm.moving_mean.numpy().any() else "inference"
    norm(BATCH, training=True)
    return {
        "ε of γ(x − μ)/√(σ² + ε) + β": default(norm.__class__, "epsilon"),
        "momentum as written": default(norm.__class__, "momentum"),
        **norm_facts(*(v.numpy().item() for v in tensors[2:])),
        "running statistics change": "in forward",
        "mode where none is given": mode,
        "γ, β, mean, variance at start": start,
    }


def tf_layers(framework: Any) -> Cells:
    """Keras' other layers and its loss."""
    tf, keras, layers = framework.tf, framework.keras, framework.keras.layers
    keras.utils.set_random_seed(0)
    made = {"Dense": layers.Dense(DENSE[1]), "Conv": layers.Conv2D(CONV[1], KERNEL)}
    made["ConvTranspose"] = layers.Conv2DTranspose(CONV[1], KERNEL)
    for name, layer in made.items():
        layer.build((None, DENSE[0]) if name == "Dense" else (None, 9, 9, CONV[0]))
    weights = {name: layer.kernel.numpy() for name, layer in made.items()}

    def slope(layer: Any) -> str:
        x = tf.zeros(1)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        return number(float(tape.gradient(y, x)[0]))

    bce, ones = keras.losses.BinaryCrossentropy, np.ones(100, np.float32)
    logits = default(bce, "from_logits")
    loss = bce(from_logits=True)(np.ones((4, 1)), np.zeros((4, 1)))
    return {
        **distributions(weights),
        "biases": biases({name: layer.bias.numpy() for name, layer in made.items()}),
        "padding": default(layers.Conv2D, "padding"),
        '"same", k5 s2 on 32': keras_same(layers.Conv2D),
        "bias": default(layers.Conv2D, "use_bias"),
        "data layout": data_layout(layers.Conv2D(7, 1)(np.zeros((1, 4, 5, 3))).shape),
        "kernel layouts": kernel_layouts({name: w.shape for name, w in weights.items()}),
        "LeakyReLU slope": default(layers.LeakyReLU, "negative_slope"),
        "derivative at 0, slope 0.2": slope(layers.LeakyReLU(0.2)),
        "derivative of ReLU at 0": slope(layers.ReLU()),
        "dropout rate": default(layers.Dropout, "rate"),
        "what is kept is multiplied by": kept_times(layers.Dropout(0.3)(ones, training=True)),
        "dropout where no mode is given": drops(layers.Dropout(0.5)(ones)),
        "takes": f"probabilities (`from_logits={logits}`)" if logits == "False" else "logits",
        "four examples give": reduction(loss.numpy()),
    }


def mxnet_optimiser(framework: Any) -> Cells:
    """MXNet's Adam, and what Gluon's trainer makes of gradients."""
    adam, sgd = framework.mx.optimizer.Adam, framework.mx.optimizer.SGD

    def update(gradient: float, optimiser: Any, examples: int = 1) -> float:
        p = framework.gluon.Parameter("p", shape=(1,))
        p.initialize("zeros")
        with framework.autograd.record():
            loss = (p.data() * gradient).sum()
        loss.backward()
        framework.gluon.Trainer([p], optimiser, kvstore=None).step(examples)
        return -p.data().item()

    return {
        "learning rate": default(adam, "learning_rate"),
        "β₁, β₂": f"{default(adam, 'beta1')}, {default(adam, 'beta2')}",
        "ε": default(adam, "epsilon"),
        "place of ε": place_of_eps(update(GRADIENT, adam(1.0, epsilon=EPSILON))),
        "gradients": scale(update(LARGE, sgd(learning_rate=1.0), EXAMPLES) / LARGE),
    }


def mxnet_norm(framework: Any) -> Cells:
    """Gluon's batch normalisation."""
    make, record = framework.gluon.nn.BatchNorm, framework.autograd.record
    norm, twice = make(in_channels=1), make(in_channels=1)
    norm.initialize()
    twice.initialize()
    tensors = norm.gamma, norm.beta, norm.running_mean, norm.running_var
    start = number([p.data().item() for p in tensors])
    x = framework.np.array(BATCH)
    norm(x)
    outside = "training" if norm.running_mean.data().item() else "inference"
    with record():
        y = norm(x)
    before = norm.running_mean.data().item()
    y.backward()
    with record():
        y = twice(x) + twice(10 * x)
    y.backward()
    # Of means 1 and 10, that which comes first is multiplied by the share kept once more.
    first = abs(twice.running_mean.data().item() - (0.09 + 1)) < 1e-4
    backward = f"in backward, {'first' if first else 'last'} pass first"
    return {
        "ε of γ(x − μ)/√(σ² + ε) + β": default(make, "epsilon"),
        "momentum as written": default(make, "momentum"),
        **norm_facts(*(p.data().item() for p in tensors[2:])),
        "running statistics change": "in forward" if before else backward,
        "mode where none is given": f"{outside}; training within `record()`",
        "γ, β, mean, variance at start": start,
    }


def mxnet_layers(framework: Any) -> Cells:
    """Gluon's other layers and its loss."""
    np_, nn, record = framework.np, framework.gluon.nn, framework.autograd.record
    framework.mx.random.seed(0)
    made = {"Dense": nn.Dense(DENSE[1], in_units=DENSE[0])}
    made["Conv"] = nn.Conv2D(CONV[1], KERNEL, in_channels=CONV[0])
    made["ConvTranspose"] = nn.Conv2DTranspose(CONV[1], KERNEL, in_channels=CONV[0])
    one = nn.Conv2D(7, 1)
    for layer in (*made.values(), one):
        layer.initialize()
    weights = {name: layer.weight.data().asnumpy() for name, layer in made.items()}

    def slope(layer: Any) -> str:
        x = np_.zeros(1)
        x.attach_grad()
        with record():
            y = layer(x)
        y.backward()
        return number(x.grad.item())

    ones, bce = np_.ones(100), framework.gluon.loss.SigmoidBCELoss
    with record():
        dropped = nn.Dropout(0.3)(ones)
    sigmoid = default(bce, "from_sigmoid")
    return {
        **distributions(weights),
        "biases": biases({name: layer.bias.data().asnumpy() for name, layer in made.items()}),
        "padding": default(nn.Conv2D, "padding"),
        '"same", k5 s2 on 32': "no such word",
        "bias": default(nn.Conv2D, "use_bias"),
        "data layout": data_layout(one(np_.zeros((1, 3, 4, 5))).shape),
        "kernel layouts": kernel_layouts({name: w.shape for name, w in weights.items()}),
        "LeakyReLU slope": default(nn.LeakyReLU, "alpha"),
        "derivative at 0, slope 0.2": slope(nn.LeakyReLU(0.2)),
        "derivative of ReLU at 0": slope(nn.Activation("relu")),
        "dropout rate": default(nn.Dropout, "rate"),
        "what is kept is multiplied by": kept_times(dropped.asnumpy()),
        "dropout where no mode is given": drops(nn.Dropout(0.5)(ones).asnumpy()),
        "takes": f"logits (`from_sigmoid={sigmoid}`)" if sigmoid == "False" else "probabilities",
        "four examples give": reduction(bce()(np_.zeros((4, 1)), np_.ones((4, 1))).asnumpy()),
    }


def jax_functions(framework: Any) -> Cells:
    """JAX's functions: layers, losses and optimisers it has none."""
    jax, jnp, nn, lax = framework.jax, framework.jnp, framework.jax.nn, framework.lax
    window = {"window_strides": (2, 2), "padding": "SAME"}
    where = jnp.zeros((1, 1, 32, 32)).at[0, 0, 2, 2].set(1.0)
    first = lax.conv_general_dilated(where, jnp.arange(25.0).reshape(1, 1, 5, 5), **window)[0, 0, 0]
    before = int(first[0]) % 5 - 2  # the place in the kernel of what is 2 from the edge
    layout = data_layout(
        lax.conv(jnp.zeros((1, 3, 4, 5)), jnp.zeros((7, 3, 1, 1)), (1, 1), "VALID").shape
    )

    def slope(function: Callable) -> str:
        return number(float(jax.grad(function)(0.0)))

    return {
        "padding": default(lax.conv_general_dilated, "padding"),
        '"same", k5 s2 on 32': f"({before}, {3 - before})",
        "data layout": layout,
        "LeakyReLU slope": default(nn.leaky_relu.__wrapped__, "negative_slope"),
        "derivative at 0, slope 0.2": slope(lambda x: nn.leaky_relu(x, 0.2)),
        "derivative of ReLU at 0": slope(nn.relu),
    }


PROBES: dict[str, tuple[Callable[[Any], Cells], ...]] = {
    "torch": (torch_optimiser, torch_norm, torch_layers),
    "tf": (tf_optimiser, tf_norm, tf_layers),
    "mxnet": (mxnet_optimiser, mxnet_norm, mxnet_layers),
    "jax": (jax_functions,),
}


def default(function: Any, name: str) -> str:
    """The default of an argument, as the signature has it."""
    value = inspect.signature(function).parameters[name].default
    return "must be given" if value is inspect.Parameter.empty else number(value)


def number(value: Any) -> str:
    """1e-8 rather than 1e-08, and (0, 0) as 0."""
    if isinstance(value, float):
        return f"{value:.6g}".replace("e-0", "e-")
    if isinstance(value, tuple | list):
        return number(value[0]) if len(set(value)) == 1 else ", ".join(map(number, value))
    return str(value)


def place_of_eps(update: float) -> str:
    """Where epsilon was added in a first update of GRADIENT and EPSILON, at rate 1."""
    grown = EPSILON / (1 - 0.999) ** 0.5
    for place, eps in (("√v̂ + ε", EPSILON), ("√v + ε, corrected after", grown)):
        if abs(update * (GRADIENT + eps) / GRADIENT - 1) < 1e-3:
            return place
    raise AssertionError(f"an update of {update} has neither form")


def scale(factor: float) -> str:
    """What the optimiser multiplied a gradient by."""
    return {1.0: "as they are", 1 / EXAMPLES: "divided by `step(batch_size)`"}[round(factor, 5)]


def norm_facts(mean: float, var: float) -> Cells:
    """What the running statistics say after one pass over BATCH, from 0 and 1."""
    keep = 1 - mean
    variance = {3: "biased", 4: "unbiased"}[round((var - keep) / mean)]
    return {"share of the old kept": number(round(keep, 5)), "variance that runs": variance}


def distributions(weights: dict[str, np.ndarray]) -> Cells:
    """The distribution of every layer's weights. All that there are turn out to be uniform."""
    return {f"{name} weight": uniform(array, *FANS[name]) for name, array in weights.items()}


def uniform(array: np.ndarray, fan_in: int, fan_out: int) -> str:
    """The bounds of a uniform distribution, in terms of fans if they are."""
    largest = float(np.abs(array).max())
    if abs(largest / array.std() / 3**0.5 - 1) > 0.02:
        raise AssertionError("the weights are not uniform")
    bounds = {"1/√in": fan_in**-0.5, "1/√out": fan_out**-0.5}
    bounds["√(6/(in + out))"] = (6 / (fan_in + fan_out)) ** 0.5
    names = [name for name, bound in bounds.items() if abs(largest / bound - 1) < 1e-3]
    return f"U(±{names[0] if names else number(round(largest, 3))})"


def biases(arrays: dict[str, np.ndarray]) -> str:
    """0, or that each layer's keep to the bound of its weights: they are too few to show more."""
    if not any(array.any() for array in arrays.values()):
        return "0"
    for name, array in arrays.items():
        bound = FANS[name][name == "ConvTranspose"] ** -0.5
        assert 0.8 * bound < np.abs(array).max() <= bound, name
    return "U, bound as the weights'"


def data_layout(shape: Sequence[int]) -> str:
    """The axes of the output of one example, 7 channels, 4 rows and 5 columns."""
    return "".join({1: "N", 7: "C", 4: "H", 5: "W"}[n] for n in shape)


def kernel_layouts(shapes: dict[str, Sequence[int]]) -> str:
    """The axes of a convolution's kernel and of a transposed one's."""
    names = {CONV[0]: "in", CONV[1]: "out", KERNEL: "k"}
    texts = (", ".join(names[n] for n in shapes[kind]) for kind in ("Conv", "ConvTranspose"))
    return "; ".join(f"({text})" for text in texts)


def keras_same(conv: Any) -> str:
    """The rows that "same" adds before and after: which tap of the kernel sees the first row?"""
    layer = conv(1, 5, 2, padding="same", use_bias=False)
    layer.build((None, 32, 32, 1))
    kernel = np.zeros((5, 5, 1, 1))
    kernel[:, 2, 0, 0] = range(5)
    layer.kernel.assign(kernel)
    x = np.zeros((1, 32, 32, 1), np.float32)
    x[:, 0] = 1
    y = layer(x).numpy()
    before = round(y[0, 0, 8, 0].item())
    return f"({before}, {(len(y[0]) - 1) * 2 + 5 - 32 - before})"


def kept_times(y: Any) -> str:
    """What dropout at a rate of 0.3 multiplied ones by."""
    factor = float(np.max(y))
    return "1/(1 − rate)" if abs(factor - 1 / 0.7) < 1e-5 else number(factor)


def drops(y: Any) -> str:
    """Whether any of many ones was dropped."""
    return "drops" if (np.asarray(y) == 0).any() else "does not drop"


def reduction(value: np.ndarray) -> str:
    """How four losses of log 2 come out."""
    if value.shape:
        return f"{value.size} losses"
    return {1.0: "their mean", 4.0: "their sum"}[round(float(value) / np.log(2).item(), 4)]
