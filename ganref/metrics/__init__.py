"""How good samples are: distances on points, a classifier's features, Inception, the report."""
