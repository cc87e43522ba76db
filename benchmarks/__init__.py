"""How fast each framework trains, measured so that a hostile reader could check it."""
