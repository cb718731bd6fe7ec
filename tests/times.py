"""The times that many tests wait for, as literals: whoever changes one of these laws changes it here.

The law itself is held to these numbers by one test: broker/test_retries.py.
"""

# QStash docs, features/retry: the default backoff, in seconds from the end of an attempt to the start of the next
FIRST_RETRY_S = 12
SECOND_RETRY_S = 148
THIRD_RETRY_S = 1_808
FOURTH_RETRY_S = 22_026
LATER_RETRY_S = 86_400  # each one from the fifth on

DEFAULT_WAITS_S = [FIRST_RETRY_S, SECOND_RETRY_S, THIRD_RETRY_S]  # of a message that asks for nothing else
