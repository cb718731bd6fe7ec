"""What a test holds: the fake, its clock, its assertions and what a failure shows."""
