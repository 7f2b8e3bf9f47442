"""Separators: networks and rules that take the sources of a recording apart."""
