"""The losses on this framework's arrays: here the spec's own formulas, which are the oracle."""

from ganref.spec.losses import bce, loss_D, loss_G, pulling_away, score, softplus

__all__ = ["bce", "loss_D", "loss_G", "pulling_away", "score", "softplus"]
