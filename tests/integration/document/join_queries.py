# starts: with SessionLocal() as session: | # Inner join
# needs: rows

# --- the block ---
assert [o.symbol for o in results] == ["AAPL"]
