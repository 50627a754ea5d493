"""What the old answers depend on in the weights, and how it is held."""
