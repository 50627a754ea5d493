"""What is kept of old tasks: states, and the answers to them; or what makes such states again."""
