# starts: with SessionLocal() as session: | # Bulk insert
# needs: rows

# --- the block ---
assert in_database("select symbol, current_price from positions order by id") == [
    ("AAPL", 155.0),
    ("MSFT", None),
    ("AAPL", 155.0),
    ("GOOGL", None),
]
assert in_database("select count(*) from orders") == [(0,)]
