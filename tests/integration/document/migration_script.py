# starts: # migrations/add_new_column.py
# needs: rows

# --- the block ---
assert "phone" in [c[1] for c in in_database("pragma table_info(users)")]
with SessionLocal() as s:
    assert s.query(User).count() == 2
downgrade()
assert "phone" not in [c[1] for c in in_database("pragma table_info(users)")]
