"""Learning from an older self: its answers, and how far from them the network is now."""
