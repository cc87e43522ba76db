"""What makes PyTorch quick: many steps in one call."""
