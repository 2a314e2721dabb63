"""`python -m spectralgpt`: the command line where its script is not on the path."""

from spectralgpt.cli import main

if __name__ == "__main__":
    main()
