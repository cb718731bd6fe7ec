"""Kinds of applications: a table that tells them apart, and a file a family that says how one is called."""
