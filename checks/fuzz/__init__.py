"""Files, folders, command lines and machines as they should not be, by the hundred thousand."""
