# starts: with SessionLocal() as session: | user.email
# needs: rows
with SessionLocal() as s:
    user = s.query(User).first()
# --- the block ---
assert user.email == "new@example.com"
