"""python -m benchmarks.speed: every backend side by side, and the parity gate before the clock."""
