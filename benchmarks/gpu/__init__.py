"""python -m benchmarks.gpu: all figures of a GPU with one command, the most valuable first."""
