"""The proof that backends agree: lockstep comparison, tolerances, one process for each backend."""
