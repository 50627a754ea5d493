"""Where a task ends, for a learner that nobody tells."""
