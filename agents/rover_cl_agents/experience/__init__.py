"""What the algorithm meets: the states of late, what is known of them, and what they say of values."""
