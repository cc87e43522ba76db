"""What more workers gain: measured here, and predicted for machines that are not here."""
