"""Kinds of values and groups of options, written once. Imports no torch, so that `--help` is quick."""
