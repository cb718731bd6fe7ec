"""The operations of the API, a file for each resource. Each is parse, one broker call, wire. Table: answer.py."""
