// Made by `python -m docs.make_playground`; edit the spec, not this.
globalThis.ganref ??= {};
ganref.spec = {
 "version": "0.1.0",
 "recipes": {
  "gaussian": {
   "tabs": {
    "aligned": {
     "name": "gaussian",
     "source": "d2l.ai, \"Generative Adversarial Networks\"",
     "stack": "toy",
     "data": "gaussian",
     "data_shape": [
      2
     ],
     "latent_dim": 2,
     "batch_size": 8,
     "epochs": 20,
     "adam_D": {
      "lr": 0.05,
      "beta1": 0.9,
      "beta2": 0.999,
      "eps": 1e-08,
      "eps_form": "corrected",
      "mean_gradients": false
     },
     "adam_G": {
      "lr": 0.005,
      "beta1": 0.9,
      "beta2": 0.999,
      "eps": 1e-08,
      "eps_form": "corrected",
      "mean_gradients": false
     },
     "loss": {
      "kind": "bce",
      "reduction": "sum",
      "scale_D": 0.5,
      "r1": 0.0,
      "r2": 0.0,
      "gp": 0.0,
      "clip": 0.0,
      "generator": "non_saturating",
      "real_label": 1.0
     },
     "head": "logits",
     "width": 64,
     "leaky_slope": 0.2,
     "dropout": 0.0,
     "spectral": false,
     "latent": "normal",
     "fresh_Z": false,
     "D_updates": 1,
     "G_updates": 1,
     "ema": 0.0,
     "init_D": {
      "weight": {
       "kind": "normal",
       "mean": 0.0,
       "scale": 0.02
      },
      "bias": {
       "kind": "constant",
       "mean": 0.0,
       "scale": 0.02
      },
      "gamma": {
       "kind": "constant",
       "mean": 1.0,
       "scale": 0.02
      },
      "beta": {
       "kind": "constant",
       "mean": 0.0,
       "scale": 0.02
      },
      "running_mean": {
       "kind": "constant",
       "mean": 0.0,
       "scale": 0.02
      },
      "running_var": {
       "kind": "constant",
       "mean": 1.0,
       "scale": 0.02
      },
      "power": {
       "kind": "direction",
       "mean": 0.0,
       "scale": 0.02
      }
     },
     "init_G": {
      "weight": {
       "kind": "normal",
       "mean": 0.0,
       "scale": 0.02
      },
      "bias": {
       "kind": "constant",
       "mean": 0.0,
       "scale": 0.02
      },
      "gamma": {
       "kind": "constant",
       "mean": 1.0,
       "scale": 0.02
      },
      "beta": {
       "kind": "constant",
       "mean": 0.0,
       "scale": 0.02
      },
      "running_mean": {
       "kind": "constant",
       "mean": 0.0,
       "scale": 0.02
      },
      "running_var": {
       "kind": "constant",
       "mean": 1.0,
       "scale": 0.02
      },
      "power": {
       "kind": "direction",
       "mean": 0.0,
       "scale": 0.02
      }
     },
     "norm": {
      "eps": 1e-05,
      "momentum": 0.9,
      "unbiased": true,
      "batch_stats": true,
      "G_in_update_D": false,
      "fake_first": false
     },
     "tab": "aligned",
     "epochs_by_data": []
    },
    "pytorch": {
     "name": "gaussian",
     "source": "d2l.ai, \"Generative Adversarial Networks\"",
     "stack": "toy",
     "data": "gaussian",
     "data_shape": [
      2
     ],
     "latent_dim": 2,
     "batch_size": 8,
     "epochs": 20,
     "adam_D": {
      "lr": 0.05,
      "beta1": 0.9,
      "beta2": 0.999,
      "eps": 1e-08,
      "eps_form": "corrected",
      "mean_gradients": false
     },
     "adam_G": {
      "lr": 0.005,
      "beta1": 0.9,
      "beta2": 0.999,
      "eps": 1e-08,
      "eps_form": "corrected",
      "mean_gradients": false
     },
     "loss": {
      "kind": "bce",
      "reduction": "sum",
      "scale_D": 0.5,
      "r1": 0.0,
      "r2": 0.0,
      "gp": 0.0,
      "clip": 0.0,
      "generator": "non_saturating",
      "real_label": 1.0
     },
     "head": "logits",
     "width": 64,
     "leaky_slope": 0.2,
     "dropout": 0.0,
     "spectral": false,
     "latent": "normal",
     "fresh_Z": false,
     "D_updates": 1,
     "G_updates": 1,
     "ema": 0.0,
     "init_D": {
      "weight": {
       "kind": "normal",
       "mean": 0.0,
       "scale": 0.02
      },
      "bias": {
       "kind": "normal",
       "mean": 0.0,
       "scale": 0.02
      },
      "gamma": {
       "kind": "normal",
       "mean": 0.0,
       "scale": 0.02
      },
      "beta": {
       "kind": "normal",
       "mean": 0.0,
       "scale": 0.02
      },
      "running_mean": {
       "kind": "constant",
       "mean": 0.0,
       "scale": 0.02
      },
      "running_var": {
       "kind": "constant",
       "mean": 1.0,
       "scale": 0.02
      },
      "power": {
       "kind": "direction",
       "mean": 0.0,
       "scale": 0.02
      }
     },
     "init_G": {
      "weight": {
       "kind": "normal",
       "mean": 0.0,
       "scale": 0.02
      },
      "bias": {
       "kind": "normal",
       "mean": 0.0,
       "scale": 0.02
      },
      "gamma": {
       "kind": "normal",
       "mean": 0.0,
       "scale": 0.02
      },
      "beta": {
       "kind": "normal",
       "mean": 0.0,
       "scale": 0.02
      },
      "running_mean": {
       "kind": "constant",
       "mean": 0.0,
       "scale": 0.02
      },
      "running_var": {
       "kind": "constant",
       "mean": 1.0,
       "scale": 0.02
      },
      "power": {
       "kind": "direction",
       "mean": 0.0,
       "scale": 0.02
      }
     },
     "norm": {
      "eps": 1e-05,
      "momentum": 0.9,
      "unbiased": true,
      "batch_stats": true,
      "G_in_update_D": true,
      "fake_first": false
     },
     "tab": "pytorch",
     "epochs_by_data": []
    },
    "tensorflow": {
     "name": "gaussian",
     "source": "d2l.ai, \"Generative Adversarial Networks\"",
     "stack": "toy",
     "data": "gaussian",
     "data_shape": [
      2
     ],
     "latent_dim": 2,
     "batch_size": 8,
     "epochs": 20,
     "adam_D": {
      "lr": 0.05,
      "beta1": 0.9,
      "beta2": 0.999,
      "eps": 1e-07,
      "eps_form": "plain",
      "mean_gradients": false
     },
     "adam_G": {
      "lr": 0.005,
      "beta1": 0.9,
      "beta2": 0.999,
      "eps": 1e-07,
      "eps_form": "plain",
      "mean_gradients": false
     },
     "loss": {
      "kind": "bce",
      "reduction": "sum",
      "scale_D": 0.5,
      "r1": 0.0,
      "r2": 0.0,
      "gp": 0.0,
      "clip": 0.0,
      "generator": "non_saturating",
      "real_label": 1.0
     },
     "head": "logits",
     "width": 64,
     "leaky_slope": 0.2,
     "dropout": 0.0,
     "spectral": false,
     "latent": "normal",
     "fresh_Z": false,
     "D_updates": 1,
     "G_updates": 1,
     "ema": 0.0,
     "init_D": {
      "weight": {
       "kind": "normal",
       "mean": 0.0,
       "scale": 0.02
      },
      "bias": {
       "kind": "normal",
       "mean": 0.0,
       "scale": 0.02
      },
      "gamma": {
       "kind": "normal",
       "mean": 0.0,
       "scale": 0.02
      },
      "beta": {
       "kind": "normal",
       "mean": 0.0,
       "scale": 0.02
      },
      "running_mean": {
       "kind": "constant",
       "mean": 0.0,
       "scale": 0.02
      },
      "running_var": {
       "kind": "constant",
       "mean": 1.0,
       "scale": 0.02
      },
      "power": {
       "kind": "direction",
       "mean": 0.0,
       "scale": 0.02
      }
     },
     "init_G": {
      "weight": {
       "kind": "glorot_uniform",
       "mean": 0.0,
       "scale": 0.02
      },
      "bias": {
       "kind": "constant",
       "mean": 0.0,
       "scale": 0.02
      },
      "gamma": {
       "kind": "constant",
       "mean": 1.0,
       "scale": 0.02
      },
      "beta": {
       "kind": "constant",
       "mean": 0.0,
       "scale": 0.02
      },
      "running_mean": {
       "kind": "constant",
       "mean": 0.0,
       "scale": 0.02
      },
      "running_var": {
       "kind": "constant",
       "mean": 1.0,
       "scale": 0.02
      },
      "power": {
       "kind": "direction",
       "mean": 0.0,
       "scale": 0.02
      }
     },
     "norm": {
      "eps": 0.001,
      "momentum": 0.99,
      "unbiased": false,
      "batch_stats": false,
      "G_in_update_D": false,
      "fake_first": false
     },
     "tab": "tensorflow",
     "epochs_by_data": []
    },
    "mxnet": {
     "name": "gaussian",
     "source": "d2l.ai, \"Generative Adversarial Networks\"",
     "stack": "toy",
     "data": "gaussian",
     "data_shape": [
      2
     ],
     "latent_dim": 2,
     "batch_size": 8,
     "epochs": 20,
     "adam_D": {
      "lr": 0.05,
      "beta1": 0.9,
      "beta2": 0.999,
      "eps": 1e-08,
      "eps_form": "plain",
      "mean_gradients": true
     },
     "adam_G": {
      "lr": 0.005,
      "beta1": 0.9,
      "beta2": 0.999,
      "eps": 1e-08,
      "eps_form": "plain",
      "mean_gradients": true
     },
     "loss": {
      "kind": "bce",
      "reduction": "sum",
      "scale_D": 0.5,
      "r1": 0.0,
      "r2": 0.0,
      "gp": 0.0,
      "clip": 0.0,
      "generator": "non_saturating",
      "real_label": 1.0
     },
     "head": "logits",
     "width": 64,
     "leaky_slope": 0.2,
     "dropout": 0.0,
     "spectral": false,
     "latent": "normal",
     "fresh_Z": false,
     "D_updates": 1,
     "G_updates": 1,
     "ema": 0.0,
     "init_D": {
      "weight": {
       "kind": "normal",
       "mean": 0.0,
       "scale": 0.02
      },
      "bias": {
       "kind": "constant",
       "mean": 0.0,
       "scale": 0.02
      },
      "gamma": {
       "kind": "constant",
       "mean": 1.0,
       "scale": 0.02
      },
      "beta": {
       "kind": "constant",
       "mean": 0.0,
       "scale": 0.02
      },
      "running_mean": {
       "kind": "constant",
       "mean": 0.0,
       "scale": 0.02
      },
      "running_var": {
       "kind": "constant",
       "mean": 1.0,
       "scale": 0.02
      },
      "power": {
       "kind": "direction",
       "mean": 0.0,
       "scale": 0.02
      }
     },
     "init_G": {
      "weight": {
       "kind": "normal",
       "mean": 0.0,
       "scale": 0.02
      },
      "bias": {
       "kind": "constant",
       "mean": 0.0,
       "scale": 0.02
      },
      "gamma": {
       "kind": "constant",
       "mean": 1.0,
       "scale": 0.02
      },
      "beta": {
       "kind": "constant",
       "mean": 0.0,
       "scale": 0.02
      },
      "running_mean": {
       "kind": "constant",
       "mean": 0.0,
       "scale": 0.02
      },
      "running_var": {
       "kind": "constant",
       "mean": 1.0,
       "scale": 0.02
      },
      "power": {
       "kind": "direction",
       "mean": 0.0,
       "scale": 0.02
      }
     },
     "norm": {
      "eps": 1e-05,
      "momentum": 0.9,
      "unbiased": false,
      "batch_stats": true,
      "G_in_update_D": false,
      "fake_first": true
     },
     "tab": "mxnet",
     "epochs_by_data": []
    }
   },
   "losses": {
    "bce": {
     "kind": "bce",
     "reduction": "sum",
     "scale_D": 0.5,
     "r1": 0.0,
     "r2": 0.0,
     "gp": 0.0,
     "clip": 0.0,
     "generator": "non_saturating",
     "real_label": 1.0
    },
    "minimax": {
     "kind": "bce",
     "reduction": "sum",
     "scale_D": 0.5,
     "r1": 0.0,
     "r2": 0.0,
     "gp": 0.0,
     "clip": 0.0,
     "generator": "minimax",
     "real_label": 1.0
    },
    "least-squares": {
     "kind": "least-squares",
     "reduction": "sum",
     "scale_D": 0.5,
     "r1": 0.0,
     "r2": 0.0,
     "gp": 0.0,
     "clip": 0.0
    },
    "hinge": {
     "kind": "hinge",
     "reduction": "sum",
     "scale_D": 0.5,
     "r1": 0.0,
     "r2": 0.0,
     "gp": 0.0,
     "clip": 0.0
    }
   },
   "optimum": {
    "bce": [
     0.6931471805599453,
     "ln 2"
    ],
    "minimax": [
     0.6931471805599453,
     "ln 2"
    ],
    "least-squares": [
     0.125,
     "0.125"
    ],
    "hinge": [
     1.0,
     "1"
    ]
   },
   "generator": [
    {
     "kind": "Dense",
     "in_features": 2,
     "out_features": 2,
     "bias": true,
     "spectral": false
    }
   ],
   "discriminator": [
    {
     "kind": "Dense",
     "in_features": 2,
     "out_features": 5,
     "bias": true,
     "spectral": false
    },
    {
     "kind": "Tanh"
    },
    {
     "kind": "Dense",
     "in_features": 5,
     "out_features": 3,
     "bias": true,
     "spectral": false
    },
    {
     "kind": "Tanh"
    },
    {
     "kind": "Dense",
     "in_features": 3,
     "out_features": 1,
     "bias": true,
     "spectral": false
    }
   ]
  },
  "ring": {
   "tabs": {
    "aligned": {
     "name": "ring",
     "source": "ours: a small MLP for mixtures of Gaussians",
     "stack": "points",
     "data": "ring",
     "data_shape": [
      2
     ],
     "latent_dim": 16,
     "batch_size": 128,
     "epochs": 200,
     "adam_D": {
      "lr": 0.001,
      "beta1": 0.5,
      "beta2": 0.999,
      "eps": 1e-08,
      "eps_form": "corrected",
      "mean_gradients": false
     },
     "adam_G": {
      "lr": 0.001,
      "beta1": 0.5,
      "beta2": 0.999,
      "eps": 1e-08,
      "eps_form": "corrected",
      "mean_gradients": false
     },
     "loss": {
      "kind": "bce",
      "reduction": "mean",
      "scale_D": 1.0,
      "r1": 0.0,
      "r2": 0.0,
      "gp": 0.0,
      "clip": 0.0,
      "generator": "non_saturating",
      "real_label": 1.0
     },
     "head": "logits",
     "width": 128,
     "leaky_slope": 0.2,
     "dropout": 0.0,
     "spectral": false,
     "latent": "normal",
     "fresh_Z": false,
     "D_updates": 1,
     "G_updates": 1,
     "ema": 0.0,
     "init_D": {
      "weight": {
       "kind": "uniform_fan_in",
       "mean": 0.0,
       "scale": 0.02
      },
      "bias": {
       "kind": "uniform_fan_in",
       "mean": 0.0,
       "scale": 0.02
      },
      "gamma": {
       "kind": "constant",
       "mean": 1.0,
       "scale": 0.02
      },
      "beta": {
       "kind": "constant",
       "mean": 0.0,
       "scale": 0.02
      },
      "running_mean": {
       "kind": "constant",
       "mean": 0.0,
       "scale": 0.02
      },
      "running_var": {
       "kind": "constant",
       "mean": 1.0,
       "scale": 0.02
      },
      "power": {
       "kind": "direction",
       "mean": 0.0,
       "scale": 0.02
      }
     },
     "init_G": {
      "weight": {
       "kind": "uniform_fan_in",
       "mean": 0.0,
       "scale": 0.02
      },
      "bias": {
       "kind": "uniform_fan_in",
       "mean": 0.0,
       "scale": 0.02
      },
      "gamma": {
       "kind": "constant",
       "mean": 1.0,
       "scale": 0.02
      },
      "beta": {
       "kind": "constant",
       "mean": 0.0,
       "scale": 0.02
      },
      "running_mean": {
       "kind": "constant",
       "mean": 0.0,
       "scale": 0.02
      },
      "running_var": {
       "kind": "constant",
       "mean": 1.0,
       "scale": 0.02
      },
      "power": {
       "kind": "direction",
       "mean": 0.0,
       "scale": 0.02
      }
     },
     "norm": {
      "eps": 1e-05,
      "momentum": 0.9,
      "unbiased": true,
      "batch_stats": true,
      "G_in_update_D": false,
      "fake_first": false
     },
     "tab": "aligned",
     "epochs_by_data": []
    }
   },
   "losses": {
    "bce": {
     "kind": "bce",
     "reduction": "mean",
     "scale_D": 1.0,
     "r1": 0.0,
     "r2": 0.0,
     "gp": 0.0,
     "clip": 0.0,
     "generator": "non_saturating",
     "real_label": 1.0
    },
    "minimax": {
     "kind": "bce",
     "reduction": "mean",
     "scale_D": 1.0,
     "r1": 0.0,
     "r2": 0.0,
     "gp": 0.0,
     "clip": 0.0,
     "generator": "minimax",
     "real_label": 1.0
    },
    "least-squares": {
     "kind": "least-squares",
     "reduction": "mean",
     "scale_D": 1.0,
     "r1": 0.0,
     "r2": 0.0,
     "gp": 0.0,
     "clip": 0.0
    },
    "hinge": {
     "kind": "hinge",
     "reduction": "mean",
     "scale_D": 1.0,
     "r1": 0.0,
     "r2": 0.0,
     "gp": 0.0,
     "clip": 0.0
    }
   },
   "optimum": {
    "bce": [
     1.3862943611198906,
     "2 ln 2"
    ],
    "minimax": [
     1.3862943611198906,
     "2 ln 2"
    ],
    "least-squares": [
     0.25,
     "0.25"
    ],
    "hinge": [
     2.0,
     "2"
    ]
   },
   "generator": [
    {
     "kind": "Dense",
     "in_features": 16,
     "out_features": 128,
     "bias": true,
     "spectral": false
    },
    {
     "kind": "LeakyReLU",
     "slope": 0
    },
    {
     "kind": "Dense",
     "in_features": 128,
     "out_features": 128,
     "bias": true,
     "spectral": false
    },
    {
     "kind": "LeakyReLU",
     "slope": 0
    },
    {
     "kind": "Dense",
     "in_features": 128,
     "out_features": 2,
     "bias": true,
     "spectral": false
    }
   ],
   "discriminator": [
    {
     "kind": "Dense",
     "in_features": 2,
     "out_features": 128,
     "bias": true,
     "spectral": false
    },
    {
     "kind": "LeakyReLU",
     "slope": 0.2
    },
    {
     "kind": "Dense",
     "in_features": 128,
     "out_features": 128,
     "bias": true,
     "spectral": false
    },
    {
     "kind": "LeakyReLU",
     "slope": 0.2
    },
    {
     "kind": "Dense",
     "in_features": 128,
     "out_features": 1,
     "bias": true,
     "spectral": false
    }
   ]
  },
  "collapse": {
   "tabs": {
    "aligned": {
     "name": "ring",
     "source": "ours: a small MLP for mixtures of Gaussians",
     "stack": "points",
     "data": "ring",
     "data_shape": [
      2
     ],
     "latent_dim": 16,
     "batch_size": 64,
     "epochs": 200,
     "adam_D": {
      "lr": 0.01,
      "beta1": 0.5,
      "beta2": 0.999,
      "eps": 1e-08,
      "eps_form": "corrected",
      "mean_gradients": false
     },
     "adam_G": {
      "lr": 0.001,
      "beta1": 0.5,
      "beta2": 0.999,
      "eps": 1e-08,
      "eps_form": "corrected",
      "mean_gradients": false
     },
     "loss": {
      "kind": "bce",
      "reduction": "mean",
      "scale_D": 1.0,
      "r1": 0.0,
      "r2": 0.0,
      "gp": 0.0,
      "clip": 0.0,
      "generator": "non_saturating",
      "real_label": 1.0
     },
     "head": "logits",
     "width": 32,
     "leaky_slope": 0.2,
     "dropout": 0.0,
     "spectral": false,
     "latent": "normal",
     "fresh_Z": false,
     "D_updates": 1,
     "G_updates": 1,
     "ema": 0.0,
     "init_D": {
      "weight": {
       "kind": "uniform_fan_in",
       "mean": 0.0,
       "scale": 0.02
      },
      "bias": {
       "kind": "uniform_fan_in",
       "mean": 0.0,
       "scale": 0.02
      },
      "gamma": {
       "kind": "constant",
       "mean": 1.0,
       "scale": 0.02
      },
      "beta": {
       "kind": "constant",
       "mean": 0.0,
       "scale": 0.02
      },
      "running_mean": {
       "kind": "constant",
       "mean": 0.0,
       "scale": 0.02
      },
      "running_var": {
       "kind": "constant",
       "mean": 1.0,
       "scale": 0.02
      },
      "power": {
       "kind": "direction",
       "mean": 0.0,
       "scale": 0.02
      }
     },
     "init_G": {
      "weight": {
       "kind": "uniform_fan_in",
       "mean": 0.0,
       "scale": 0.02
      },
      "bias": {
       "kind": "uniform_fan_in",
       "mean": 0.0,
       "scale": 0.02
      },
      "gamma": {
       "kind": "constant",
       "mean": 1.0,
       "scale": 0.02
      },
      "beta": {
       "kind": "constant",
       "mean": 0.0,
       "scale": 0.02
      },
      "running_mean": {
       "kind": "constant",
       "mean": 0.0,
       "scale": 0.02
      },
      "running_var": {
       "kind": "constant",
       "mean": 1.0,
       "scale": 0.02
      },
      "power": {
       "kind": "direction",
       "mean": 0.0,
       "scale": 0.02
      }
     },
     "norm": {
      "eps": 1e-05,
      "momentum": 0.9,
      "unbiased": true,
      "batch_stats": true,
      "G_in_update_D": false,
      "fake_first": false
     },
     "tab": "aligned",
     "epochs_by_data": []
    }
   },
   "losses": {
    "bce": {
     "kind": "bce",
     "reduction": "mean",
     "scale_D": 1.0,
     "r1": 0.0,
     "r2": 0.0,
     "gp": 0.0,
     "clip": 0.0,
     "generator": "non_saturating",
     "real_label": 1.0
    },
    "minimax": {
     "kind": "bce",
     "reduction": "mean",
     "scale_D": 1.0,
     "r1": 0.0,
     "r2": 0.0,
     "gp": 0.0,
     "clip": 0.0,
     "generator": "minimax",
     "real_label": 1.0
    },
    "least-squares": {
     "kind": "least-squares",
     "reduction": "mean",
     "scale_D": 1.0,
     "r1": 0.0,
     "r2": 0.0,
     "gp": 0.0,
     "clip": 0.0
    },
    "hinge": {
     "kind": "hinge",
     "reduction": "mean",
     "scale_D": 1.0,
     "r1": 0.0,
     "r2": 0.0,
     "gp": 0.0,
     "clip": 0.0
    }
   },
   "optimum": {
    "bce": [
     1.3862943611198906,
     "2 ln 2"
    ],
    "minimax": [
     1.3862943611198906,
     "2 ln 2"
    ],
    "least-squares": [
     0.25,
     "0.25"
    ],
    "hinge": [
     2.0,
     "2"
    ]
   },
   "generator": [
    {
     "kind": "Dense",
     "in_features": 16,
     "out_features": 32,
     "bias": true,
     "spectral": false
    },
    {
     "kind": "LeakyReLU",
     "slope": 0
    },
    {
     "kind": "Dense",
     "in_features": 32,
     "out_features": 32,
     "bias": true,
     "spectral": false
    },
    {
     "kind": "LeakyReLU",
     "slope": 0
    },
    {
     "kind": "Dense",
     "in_features": 32,
     "out_features": 2,
     "bias": true,
     "spectral": false
    }
   ],
   "discriminator": [
    {
     "kind": "Dense",
     "in_features": 2,
     "out_features": 32,
     "bias": true,
     "spectral": false
    },
    {
     "kind": "LeakyReLU",
     "slope": 0.2
    },
    {
     "kind": "Dense",
     "in_features": 32,
     "out_features": 32,
     "bias": true,
     "spectral": false
    },
    {
     "kind": "LeakyReLU",
     "slope": 0.2
    },
    {
     "kind": "Dense",
     "in_features": 32,
     "out_features": 1,
     "bias": true,
     "spectral": false
    }
   ]
  }
 },
 "data": {
  "gaussian": {
   "size": 1000,
   "A": [
    [
     1.0,
     2.0
    ],
    [
     -0.1,
     0.5
    ]
   ],
   "B": [
    1.0,
    2.0
   ]
  },
  "ring": {
   "size": 10000,
   "centres": [
    [
     2.0,
     0.0
    ],
    [
     1.4142135623730951,
     1.414213562373095
    ],
    [
     1.2246467991473532e-16,
     2.0
    ],
    [
     -1.414213562373095,
     1.4142135623730951
    ],
    [
     -2.0,
     2.4492935982947064e-16
    ],
    [
     -1.4142135623730954,
     -1.414213562373095
    ],
    [
     -3.6739403974420594e-16,
     -2.0
    ],
    [
     1.4142135623730947,
     -1.4142135623730954
    ]
   ],
   "std": 0.02
  }
 },
 "mode_samples": 2500
};
