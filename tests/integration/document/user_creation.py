# starts: def create_user(
# needs: rows

# --- the block ---
u = create_user("mary", "mary@example.com", "secret")
from mismartera_analytics.auth import authenticate_user

assert u.id and u.created_at.tzinfo and authenticate_user("mary", "secret").id == u.id
