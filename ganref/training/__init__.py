"""A run: the loop, its directory and checkpoints, its history, its detectors and its decoration."""
