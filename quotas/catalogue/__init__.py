"""The site's file: what it says, whether that can be, and making it so.

`document` reads YAML with line numbers, `reading` turns it into the plain records of
`site`, `checking` finds contradictions, and `loading` changes the database.
"""
