"""What makes TensorFlow quick: many steps in one call."""
