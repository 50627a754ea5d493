"""Algorithms with the settings that suit a batch of rovers."""
