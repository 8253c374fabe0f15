# starts: from app.models.database import SessionLocal | # Context manager
# needs: rows

# --- the block ---
assert in_database("select email from users where id = 1") == [("new@example.com",)]
