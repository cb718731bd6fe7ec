"""Upstash Workflow: runs, their lists of steps, what they wait for. Told the time, like all of the broker."""
