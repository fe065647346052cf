"""The configuration as one document: its schema, how it is written and read. No database here."""
