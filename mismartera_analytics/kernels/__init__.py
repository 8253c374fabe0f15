"""Loops over rows: NumPy and Numba only."""
