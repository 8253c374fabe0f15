"""Brokers' files: one module a format, and what puts their rows into the records."""
