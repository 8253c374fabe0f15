# starts: # Define relationship in model
# needs: rows, class body

session = SessionLocal()
user = session.query(User).first()
# --- the block ---
assert {p.symbol for p in positions} == {"AAPL", "MSFT"}
