"""Time engines: the application's wall clock stands where the virtual clock stands."""
