"""Kinds of applications: a table that tells them apart, and a file for each family that says how it is called."""
