"""What a local run did, to look at: the executed notebook, and one HTML page that needs nothing else.

All of it is made from the run's folder alone: today's notebook may be another one.
"""
