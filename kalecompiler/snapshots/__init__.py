"""Snapshots: every step's values, kept by content, and looked at, compared and restored.

`objects` keeps pieces of files by their digest, `manifest` says what a step left, `store` holds both; `signing` tells
ours from others', `load` turns a kept file back into its value. `ingest` fills the store while a run goes on.
`find` says which run is meant, `runs` is a run wherever it is kept, `showing`, `compare` and `differences` tell of it.
"""
