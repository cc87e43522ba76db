# %% [markdown]
# # A GAN of dense layers in TensorFlow
#
# A generator G turns noise z into an image x; a discriminator D says how probable it is that an
# image is a real one. They play min_G max_D E[log D(x)] + E[log(1 − D(G(z)))] (Goodfellow et al.
# 2014). After an introduction to GANs in PyTorch: no convolution, an image is a vector of 784
# numbers.

# %%
import keras
import matplotlib.pyplot as plt
import tensorflow as tf
from keras import layers
from sklearn.datasets import load_digits

# %% [markdown]
# ## Data
# scikit-learn's 1,797 handwritten digits, since they need no download. Any images of this shape
# will do, with numbers from −1 to 1, which is what the tanh at the end of G can reach.


# %%
def load_data(batch_size=128):
    """Batches X (B, 28, 28, 1), in another order every epoch."""
    data = load_digits().images[..., None].astype("float32") / 8 - 1  # (N, 8, 8, 1)
    data = tf.image.resize(data, (24, 24), "nearest")
    data = tf.pad(data, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=-1)  # (N, 28, 28, 1)
    data = tf.data.Dataset.from_tensor_slices(data).shuffle(len(data))
    return data.batch(batch_size, drop_remainder=True)


# %% [markdown]
# ## Generator
# Widths double from layer to layer. The slope of 0.2 below zero keeps a gradient alive that a ReLU
# would stop.


# %%
def generator(n=256):
    """Z (B, 100) → images (B, 28, 28, 1); shapes below are of n = 256."""
    return keras.Sequential([
        keras.Input((100,)),
        layers.Dense(n), layers.LeakyReLU(0.2),  # (B, 256); Keras' slope is 0.3
        layers.Dense(2 * n), layers.LeakyReLU(0.2),  # (B, 512)
        layers.Dense(4 * n), layers.LeakyReLU(0.2),  # (B, 1024)
        layers.Dense(784, activation="tanh"), layers.Reshape((28, 28, 1)),
    ])  # fmt: skip


# %% [markdown]
# ## Discriminator
# The mirror image, with dropout: a D that has learnt 1,797 images by heart tells G nothing. It ends
# in a logit o, with D(x) = 1 / (1 + exp(−o)).


# %%
def discriminator(n=256):
    """X (B, 28, 28, 1) → logits (B, 1)."""
    return keras.Sequential([
        keras.Input((28, 28, 1)), layers.Flatten(),  # (B, 784)
        layers.Dense(4 * n), layers.LeakyReLU(0.2), layers.Dropout(0.3),  # (B, 1024)
        layers.Dense(2 * n), layers.LeakyReLU(0.2), layers.Dropout(0.3),  # (B, 512)
        layers.Dense(n), layers.LeakyReLU(0.2), layers.Dropout(0.3),  # (B, 256)
        layers.Dense(1),  # (B, 1)
    ])  # fmt: skip


# %% [markdown]
# ## Initialisation
# Weights and biases from U(±1/√n) for n inputs, so that a unit's output is of the same size in
# every layer.


# %%
def initialise(net):
    """The network with new weights."""
    for layer in net.layers:
        for variable in layer.weights:  # Keras draws a kernel by both its sides, and biases are 0
            bound = layer.kernel.shape[0] ** -0.5
            variable.assign(tf.random.uniform(variable.shape, -bound, bound))
    return net


# %% [markdown]
# ## Loss
# The cross-entropy −y log D − (1 − y) log(1 − D) with the label y, 1 for real and 0 for fake, as
# the mean of the batch. It takes the logit, since the logarithm of a D rounded to 0 is infinite.


# %%
def loss(o, y):
    """The mean for logits o (B, 1) that all have the label y."""
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(y * tf.ones_like(o), o))


# %% [markdown]
# ## Updates
# D lowers the mean over real and fake images together, hence the half. G does not raise it, which
# would leave no gradient where D is sure: it lowers −log D(G(z)) instead, it asks for the label 1.


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
    """One update of D on images X (B, 28, 28, 1) and fakes of Z (B, 100): its loss."""
    fake_X = net_G(Z, training=True)  # not on the tape: G stays as it is
    with tf.GradientTape() as tape:
        real_Y, fake_Y = net_D(X, training=True), net_D(fake_X, training=True)
        loss_D = (loss(real_Y, 1) + loss(fake_Y, 0)) / 2
    trainer_D.apply(tape.gradient(loss_D, net_D.trainable_variables))
    return loss_D


@tf.function
def update_G(Z, net_D, net_G, loss, trainer_G):
    """One update of G, through D, on Z (B, 100): its loss."""
    with tf.GradientTape() as tape:
        loss_G = loss(net_D(net_G(Z, training=True), training=True), 1)
    trainer_G.apply(tape.gradient(loss_G, net_G.trainable_variables))
    return loss_G


# %% [markdown]
# ## Training
# For every batch one update of D, then one of G on noise of its own, each with its own Adam.
# Fourteen batches are an epoch, so that there have to be many.


# %%
def train(net_D, net_G, data_iter, num_epochs=300, lr=2e-4, latent_dim=100):
    """Both losses of every step."""
    trainer_D = Adam(lr, epsilon=1e-8)  # Keras has 1e-7
    trainer_G = Adam(lr, epsilon=1e-8)
    trainer_D.build(net_D.trainable_variables)  # a compiled update cannot make its variables
    trainer_G.build(net_G.trainable_variables)
    losses = []
    for epoch in range(num_epochs):
        for X in data_iter:
            Z = tf.random.normal((len(X), latent_dim))
            loss_D = update_D(X, Z, net_D, net_G, loss, trainer_D)
            Z = tf.random.normal((len(X), latent_dim))
            loss_G = update_G(Z, net_D, net_G, loss, trainer_G)
            losses.append((float(loss_D), float(loss_G)))
        print(f"epoch {epoch + 1}: loss_D {loss_D:.3f}, loss_G {loss_G:.3f}")
    return losses


# %% [markdown]
# ## Picture
# Both losses stay near ln 2 ≈ 0.69 while neither network wins: there D can only guess.

# %%
if __name__ == "__main__":
    tf.random.set_seed(0)
    net_D, net_G = initialise(discriminator()), initialise(generator())
    train(net_D, net_G, load_data())
    fake = net_G(tf.random.normal((64, 100)))  # (64, 28, 28, 1)
    grid = tf.transpose(tf.reshape(fake, (8, 8, 28, 28)), (0, 2, 1, 3))
    grid = tf.reshape(grid, (224, 224))
    plt.imsave("mlp_tf.png", grid.numpy(), cmap="gray")
