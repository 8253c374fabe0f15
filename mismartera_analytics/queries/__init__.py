"""Query helpers: records in, DataFrames out."""
