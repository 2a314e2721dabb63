"""The command line: a command of each verb, made from its signature and docstring, whatever the verb does."""

from spectralgpt.cli.app import main

__all__ = ["main"]
