"""`python -m widelimit` is the `widelimit` command."""

from widelimit.cli import main

if __name__ == "__main__":
    main()
