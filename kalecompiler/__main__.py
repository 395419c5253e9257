"""`python -m kalecompiler` is `kalec`."""

from kalecompiler.cli import entry

if __name__ == "__main__":
    entry()
