# starts: with SessionLocal() as session: | # Get by ID
# needs: rows
test_user = None
# --- the block ---
assert user.email == "test@example.com" and count == 2 and len(active_users) == 1
