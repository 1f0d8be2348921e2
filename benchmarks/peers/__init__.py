"""Other systems beside this one: the same two files, two processes, end to end, from their published packages."""
