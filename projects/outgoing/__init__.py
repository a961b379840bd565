"""The outbox: rows that say whom an act concerns. Pages read them; other readers may follow."""
