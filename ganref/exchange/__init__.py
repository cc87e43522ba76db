"""Weights in the layouts of others: what a network and its numbers are in every framework."""
