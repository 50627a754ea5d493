"""Layers that hold a part of the acting network for each task, and what tells the parts apart."""
