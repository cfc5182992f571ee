"""What every wing stands on: randomness, files, devices, numbers."""
