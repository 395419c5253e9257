"""Phase 8, submit: a package goes to a KFP endpoint, and is followed there.

endpoint    options, environment, pyproject.toml -> Endpoint
credentials Endpoint -> what each request carries (dex logs in)
connection  kfp.Client over `transport`, which every request passes
versions    package -> pipeline and version, made once (by content)
intents     what makes a run begin at most once
submission  package -> run
recurring   package -> recurring run
runs, views list, find, look at and stop runs
following   wait for one; `display` shows it, `logs` says why it failed
faults      everything that can go wrong, in words
"""
