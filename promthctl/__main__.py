"""`python -m promthctl`."""

from promthctl.cli import main

if __name__ == "__main__":
    main()
