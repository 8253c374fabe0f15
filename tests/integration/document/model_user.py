# starts: class User(Base)
# needs: columns
# --- the block ---
check_same_columns(User)
