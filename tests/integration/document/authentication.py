# starts: def authenticate_user(
# needs: rows
import mismartera_analytics as ma

ma.create_user("mary", "mary@example.com", "secret")
# --- the block ---
assert authenticate_user("mary", "secret").email == "mary@example.com"
assert authenticate_user("mary", "wrong") is None and authenticate_user("nobody", "x") is None
