"""Longer context: policies that see the last observations, not the latest alone."""
