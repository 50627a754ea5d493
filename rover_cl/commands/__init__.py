"""The commands of `rover-cl`, by what they are for; cli.py has their table."""
