"""Every random number: the counter-based generator, initial weights, and what each step sees."""
