"""Interception: calls that HTTP clients make to QStash are answered by the fake."""
