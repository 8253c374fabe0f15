# starts: with SessionLocal() as session: | # Multiple filters | results
# needs: rows
# raises: NaiveColumnError, because its range starts at a naive datetime.now()

# --- the block ---

