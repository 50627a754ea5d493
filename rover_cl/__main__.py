"""`python -m rover_cl` is `rover-cl`."""

from rover_cl.cli import main

if __name__ == "__main__":
    main()
