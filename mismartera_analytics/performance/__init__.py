"""Metrics of returns, each with its convention."""
