# starts: from passlib.context import CryptContext

# --- the block ---
assert is_valid and hashed.startswith("$2b$") and not pwd_context.verify("Password123", hashed)
