"""What ganref leaves for people: files written whole or not at all, standard JSON, pictures."""
