# starts: class Position(Base)
# needs: columns
# --- the block ---
check_same_columns(Position)
