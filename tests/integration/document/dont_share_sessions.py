# starts: # ❌ Wrong | session = SessionLocal()  # Shared!
# needs: rows
# raises: IndentationError, because marked ❌; its last `with` has only a comment for a body

# --- the block ---

