"""Bars: the store, ingest, resampling and adjustments."""
