# %% [markdown]
# # A GAN in TensorFlow, on points of the plane
#
# A generator G turns noise z into points x; a discriminator D says how probable it is that a point
# is a real one. They play min_G max_D E[log D(x)] + E[log(1 − D(G(z)))] (Goodfellow et al. 2014).
# Networks and numbers are those of d2l.ai, "Generative Adversarial Networks".

# %%
import keras
import matplotlib.pyplot as plt
import tensorflow as tf
from keras import layers

# %% [markdown]
# ## Data
# Real points are x·A + b with x ~ N(0, I): a Gaussian of mean b and covariance AᵀA. A GAN is the
# most wasteful way to estimate those, and one whose result can be seen in a picture.


# %%
def load_data(batch_size=8):
    """1,000 points in batches X (B, 2), in another order every epoch."""
    A, b = tf.constant([[1.0, 2.0], [-0.1, 0.5]]), tf.constant([1.0, 2.0])
    data = tf.data.Dataset.from_tensor_slices(tf.random.normal((1000, 2)) @ A + b)
    return data.shuffle(1000).batch(batch_size, drop_remainder=True)


# %% [markdown]
# ## Generator
# One linear layer is enough: z·Wᵀ + b is Gaussian wherever z is, and it can be the right one.


# %%
def generator():
    """Z (B, 2) → points (B, 2)."""
    return keras.Sequential([keras.Input((2,)), layers.Dense(2)])


# %% [markdown]
# ## Discriminator
# Three layers, the last of which gives a logit o: the probability is D(x) = 1 / (1 + exp(−o)).


# %%
def discriminator():
    """X (B, 2) → logits (B, 1)."""
    return keras.Sequential([
        keras.Input((2,)),
        layers.Dense(5, activation="tanh"),  # (B, 5)
        layers.Dense(3, activation="tanh"),  # (B, 3)
        layers.Dense(1),  # (B, 1)
    ])  # fmt: skip


# %% [markdown]
# ## Initialisation
# Weights from N(0, 0.02²), biases 0: all points begin near 0, and D knows nothing.


# %%
def initialise(net):
    """The network with new weights; Keras' biases are 0."""
    for layer in net.layers:
        if isinstance(layer, layers.Dense):  # Keras' spread depends on the layer's size
            layer.kernel.assign(tf.random.normal(layer.kernel.shape, stddev=0.02))
    return net


# %% [markdown]
# ## Loss
# The cross-entropy −y log D − (1 − y) log(1 − D) with the label y, 1 for real and 0 for fake,
# summed over the batch. It takes the logit, since the logarithm of a D rounded to 0 is infinite.


# %%
def loss(o, y):
    """The sum for logits o (B, 1) that all have the label y."""
    return tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(y * tf.ones_like(o), o))


# %% [markdown]
# ## Updates
# D lowers the cross-entropy of both labels. G does not raise it, which would leave no gradient
# where D is sure: it lowers −log D(G(z)) instead, that is, it asks for the label 1.


# %%
class Adam(keras.optimizers.Adam):
    """p ← p − lr · m̂ / (√v̂ + ε), algorithm 1 of Kingma and Ba 2015. Keras' own adds ε to √v."""

    def update_step(self, g, p, lr):
        i, t = self._get_variable_index(p), tf.cast(self.iterations + 1, p.dtype)
        m, v = self._momentums[i], self._velocities[i]
        m.assign(self.beta_1 * m + (1 - self.beta_1) * g)
        v.assign(self.beta_2 * v + (1 - self.beta_2) * g**2)
        m_hat, v_hat = m / (1 - self.beta_1**t), v / (1 - self.beta_2**t)
        p.assign_sub(lr * m_hat / (tf.sqrt(v_hat) + self.epsilon))


@tf.function
def update_D(X, Z, net_D, net_G, loss, trainer_D):
    """One update of D on real points X (B, 2) and on those that G makes of Z (B, 2): its loss."""
    fake_X = net_G(Z)  # not on the tape: G stays as it is
    with tf.GradientTape() as tape:
        real_Y, fake_Y = net_D(X), net_D(fake_X)
        loss_D = (loss(real_Y, 1) + loss(fake_Y, 0)) / 2
    trainer_D.apply(tape.gradient(loss_D, net_D.trainable_variables))
    return loss_D


@tf.function
def update_G(Z, net_D, net_G, loss, trainer_G):
    """One update of G, through D, on Z (B, 2): its loss."""
    with tf.GradientTape() as tape:
        loss_G = loss(net_D(net_G(Z)), 1)
    trainer_G.apply(tape.gradient(loss_G, net_G.trainable_variables))
    return loss_G


# %% [markdown]
# ## Training
# For every batch one update of D, then one of G on the same noise, each with an Adam of its own. D
# learns ten times as fast: what G is told is worth no more than what D knows.


# %%
def train(net_D, net_G, data_iter, num_epochs=20, lr_D=0.05, lr_G=0.005, latent_dim=2):
    """Both losses of every step."""
    trainer_D = Adam(lr_D, epsilon=1e-8)  # Keras has 1e-7
    trainer_G = Adam(lr_G, epsilon=1e-8)
    trainer_D.build(net_D.trainable_variables)  # a compiled update cannot make its variables
    trainer_G.build(net_G.trainable_variables)
    losses = []
    for epoch in range(num_epochs):
        for X in data_iter:
            Z = tf.random.normal((len(X), latent_dim))
            loss_D = update_D(X, Z, net_D, net_G, loss, trainer_D)
            loss_G = update_G(Z, net_D, net_G, loss, trainer_G)
            losses.append((float(loss_D), float(loss_G)))
        print(f"epoch {epoch + 1}: loss_D {loss_D:.3f}, loss_G {loss_G:.3f}")
    return losses


# %% [markdown]
# ## Picture
# Where D can only guess, D(x) = 1/2 and both losses are 8 ln 2 ≈ 5.5, for a batch of 8.

# %%
if __name__ == "__main__":
    tf.random.set_seed(0)
    data_iter = load_data()
    net_D, net_G = initialise(discriminator()), initialise(generator())
    losses = train(net_D, net_G, data_iter)
    real, fake = next(iter(load_data(200))), net_G(tf.random.normal((200, 2)))
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    left.plot(losses, label=["loss_D", "loss_G"])
    right.scatter(*tf.transpose(real), label="real")
    right.scatter(*tf.transpose(fake), label="fake")
    left.legend(), right.legend()
    figure.savefig("gaussian_tf.png")
