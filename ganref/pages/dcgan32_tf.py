# %% [markdown]
# # A convolutional GAN for small images in TensorFlow
#
# A generator G turns noise z into an image x; a discriminator D says how probable it is that an
# image is a real one. They play min_G max_D E[log D(x)] + E[log(1 − D(G(z)))] (Goodfellow et al.
# 2014). After T. Silva, "An intuitive introduction to Generative Adversarial Networks".

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
    """Batches X (B, 32, 32, 1), in another order every epoch."""
    data = load_digits().images[..., None].astype("float32") / 8 - 1  # (N, 8, 8, 1)
    data = tf.image.resize(data, (32, 32), "nearest")  # (N, 32, 32, 1)
    data = tf.data.Dataset.from_tensor_slices(data).shuffle(len(data))
    return data.batch(batch_size, drop_remainder=True)


# %% [markdown]
# ## Generator
# A dense layer makes 512 maps of 4×4, transposed convolutions double their sides. Padding is
# TensorFlow's "same": at stride 2 a kernel of 5 sticks out by 1 row above and by 2 below.


# %%
def norm():
    """Keras has momentum 0.99 (the share of the old) and ε 1e-3; its running variance is biased."""
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)


def up(m):
    """(B, h, w, n) → (B, 2h, 2w, m)."""
    return layers.Conv2DTranspose(m, 5, 2, padding="same")


def generator(n=64):
    """Z (B, 100) → images (B, 32, 32, 1); shapes below are of n = 64."""
    return keras.Sequential([
        keras.Input((100,)), layers.Dense(128 * n), layers.Reshape((4, 4, 8 * n)),
        norm(), layers.ReLU(),  # (B, 4, 4, 512)
        up(4 * n), norm(), layers.ReLU(),  # (B, 8, 8, 256)
        up(2 * n), norm(), layers.ReLU(),  # (B, 16, 16, 128)
        up(1), layers.Activation("tanh"),  # (B, 32, 32, 1)
    ])  # fmt: skip


# %% [markdown]
# ## Discriminator
# Three convolutions halve the sides, 32 → 16 → 8 → 4, with the same padding. A dense layer gives a
# logit o, with D(x) = 1 / (1 + exp(−o)).


# %%
def down(m):
    """(B, h, w, n) → (B, h/2, w/2, m)."""
    return layers.Conv2D(m, 5, 2, padding="same")


def discriminator(n=64):
    """X (B, 32, 32, 1) → logits (B, 1)."""
    return keras.Sequential([
        keras.Input((32, 32, 1)),
        down(n), layers.LeakyReLU(0.2),  # (B, 16, 16, 64); Keras' slope is 0.3
        down(2 * n), norm(), layers.LeakyReLU(0.2),  # (B, 8, 8, 128)
        down(4 * n), norm(), layers.LeakyReLU(0.2),  # (B, 4, 4, 256)
        layers.Flatten(), layers.Dense(1),  # (B, 1)
    ])  # fmt: skip


# %% [markdown]
# ## Initialisation
# Weights from N(0, 0.02²), biases 0; batch normalisation begins with scale 1 and shift 0.


# %%
def initialise(net):
    """The network with new weights; Keras' biases and shifts are 0, its scales 1."""
    for layer in net.layers:
        if hasattr(layer, "kernel"):  # Keras' spread depends on the layer's size
            layer.kernel.assign(tf.random.normal(layer.kernel.shape, stddev=0.02))
    return net


# %% [markdown]
# ## Loss
# The cross-entropy −y log D − (1 − y) log(1 − D) with the label y, as the mean of the batch. It
# takes the logit, since the logarithm of a D rounded to 0 is infinite.


# %%
def loss(o, y):
    """The mean for logits o (B, 1) that all have the label y."""
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(y * tf.ones_like(o), o))


# %% [markdown]
# ## Updates
# Real images have the label 0.9 where D learns: a D that need not be sure leaves G a gradient. G
# asks for the full 1, that is, it lowers −log D(G(z)).


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
    """One update of D on images X (B, 32, 32, 1) and fakes of Z (B, 100): its loss."""
    fake_X = net_G(Z, training=True)  # not on the tape: G stays as it is
    with tf.GradientTape() as tape:
        real_Y, fake_Y = net_D(X, training=True), net_D(fake_X, training=True)
        loss_D = loss(real_Y, 0.9) + loss(fake_Y, 0)
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
# For every batch one update of D, then two of G on the same noise, since D learns faster. β₁ is
# 0.5, since training oscillates at 0.9 (Radford, Metz and Chintala 2015).


# %%
def train(net_D, net_G, data_iter, num_epochs=25, lr=2e-4, latent_dim=100):
    """Both losses of every step."""
    trainer_D = Adam(lr, beta_1=0.5, epsilon=1e-8)  # Keras has 0.9 and 1e-7
    trainer_G = Adam(lr, beta_1=0.5, epsilon=1e-8)
    trainer_D.build(net_D.trainable_variables)  # a compiled update cannot make its variables
    trainer_G.build(net_G.trainable_variables)
    losses = []
    for epoch in range(num_epochs):
        for X in data_iter:
            Z = tf.random.normal((len(X), latent_dim))
            loss_D = update_D(X, Z, net_D, net_G, loss, trainer_D)
            for _ in range(2):
                loss_G = update_G(Z, net_D, net_G, loss, trainer_G)
            losses.append((float(loss_D), float(loss_G)))
        print(f"epoch {epoch + 1}: loss_D {loss_D:.3f}, loss_G {loss_G:.3f}")
    return losses


# %% [markdown]
# ## Picture
# While D can only guess, its loss is near 2 ln 2 ≈ 1.39 and G's near ln 2. Images are normalised by
# running statistics, not by those of their batch.

# %%
if __name__ == "__main__":
    tf.random.set_seed(0)
    net_D, net_G = initialise(discriminator()), initialise(generator())
    train(net_D, net_G, load_data())
    fake = net_G(tf.random.normal((64, 100)))  # (64, 32, 32, 1)
    grid = tf.transpose(tf.reshape(fake, (8, 8, 32, 32)), (0, 2, 1, 3))
    grid = tf.reshape(grid, (256, 256))
    plt.imsave("dcgan32_tf.png", grid.numpy(), cmap="gray")
