"""What batch norms know of a domain."""
