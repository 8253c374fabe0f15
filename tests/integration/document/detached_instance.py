# starts: # Problem: Accessing object
# needs: rows

# --- the block ---
assert user.email == "john@example.com"
