"""Networks that others trained, their weights, and how they want their images."""
