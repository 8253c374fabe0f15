"""Lots, daily profit and loss, and returns."""
