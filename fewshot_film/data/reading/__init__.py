"""Reading what others wrote: downloads, archives, pictures, tables."""
