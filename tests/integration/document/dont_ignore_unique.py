# starts: # ❌ Wrong | user = User(username=
# needs: rows
# raises: IntegrityError, because marked ❌: a user without e-mail and with a name that is taken
session = SessionLocal()
# --- the block ---
