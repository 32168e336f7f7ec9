"""Meters: how much goes through a service, read from the counters that its own program keeps.

One module a kind of server: what is asked, and how the answer is read. When that is done, and what becomes of it, is the
daemon's business.
"""
