# starts: with SessionLocal() as session: | # Query and modify
# needs: rows

# --- the block ---
assert user.username == "john"
