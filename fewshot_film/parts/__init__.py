"""The catalogue: one family a folder, one part a file."""
