"""Reports: self-contained pages from accounts and results."""
