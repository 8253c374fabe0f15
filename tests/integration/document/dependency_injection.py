# starts: from app.models.database import get_db
# needs: rows

# --- the block ---
some_operation()
for session in get_db():
    session.query(User).first().email = "for@example.com"
assert in_database("select email from users where id = 1") == [("for@example.com",)]
