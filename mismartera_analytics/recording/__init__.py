"""What writes records: orders, fills, flows and positions."""
