# starts: with SessionLocal() as session: | try: | # Operations
# needs: rows

# --- the block ---

