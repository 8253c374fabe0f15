# starts: with SessionLocal() as session: | user = session.query(User).filter(User.username
# needs: rows

# --- the block ---
assert user.email == "john@example.com" and user.is_active
