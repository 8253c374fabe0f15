"""Trading calendars: sessions, phases and holidays from the rules in the database."""
