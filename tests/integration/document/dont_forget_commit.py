# starts: # ❌ Wrong | with SessionLocal() as session: | user.email
# needs: rows
user = john
# --- the block ---
assert in_database("select email from users where id = 1") == [("john@example.com",)]
