# starts: with SessionLocal() as session: | # Simple query
# needs: rows

# --- the block ---
assert user.id == 1 and [u.username for u in users] == ["john"]
assert {p.symbol for p in positions} == {"AAPL", "MSFT"} and total == 1750
assert len(recent) == 1 and recent[0].placed_at.utcoffset() == timedelta(0)
