"""A learner on disk."""
