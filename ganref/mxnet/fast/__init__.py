"""What makes MXNet quick: many steps in one call."""
