"""The operations of the API, a file a resource. Each is parse, one broker call, wire; answer.py has their table."""
