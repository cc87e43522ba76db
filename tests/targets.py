"""The targets of exports that this run was told to have, by their frameworks (see told.py)."""

from __future__ import annotations

import importlib.util

from told import TOLD

from ganref.export import TARGETS

NEEDS = {"pytorch": "torch", "keras": "tf", "gluon": "mxnet", "jax": "jax", "numpy": "numpy"}
THERE = [target for target in TARGETS if NEEDS.get(target) in TOLD]
# No backend is ONNX's.
if importlib.util.find_spec("onnx") and importlib.util.find_spec("onnxruntime"):
    THERE.append("onnx")
