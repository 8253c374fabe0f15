"""Whole jobs: the demo."""
