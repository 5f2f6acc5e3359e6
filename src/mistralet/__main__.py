"""`python -m mistralet` is the command line."""

from mistralet.cli.main import main

if __name__ == "__main__":
    main()
