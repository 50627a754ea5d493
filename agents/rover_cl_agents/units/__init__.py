"""Hidden units: where they are, how they speak, and how they begin anew."""
