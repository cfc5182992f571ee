"""Every choice of a run as a value, and what it stands for."""
