"""The pages of ganref as something to train: on given weights and draws, to prove and to time."""
