"""What factors and operations are drawn with: each image on its own, all at once, on its device."""
