"""Finds generations that repeat without end."""
