"""Measurements of a network that change nothing: can it still learn, and what does it still know?"""
