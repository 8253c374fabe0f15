# starts: class SessionConfig(Base)
# needs: columns
# --- the block ---
check_same_columns(SessionConfig)
