"""Training, choosing, testing: what leaves a run folder behind."""
