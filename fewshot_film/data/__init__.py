"""Data sets: each file turns one source of images into an ImageSet."""
