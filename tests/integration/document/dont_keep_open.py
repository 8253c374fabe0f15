# starts: # ❌ Wrong | session = SessionLocal() | # ... long-running
# needs: rows

# --- the block ---

