"""Backtests: strategies, the engine and its results."""
