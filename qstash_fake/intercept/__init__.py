"""Interception: calls that HTTP clients make to QStash are answered by the fake.

Every pytest run imports this package for its guard, so nothing heavy is imported here.
"""
