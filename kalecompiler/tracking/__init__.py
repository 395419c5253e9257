"""Tells experiment trackers of local runs: MLflow, TensorBoard, Weights & Biases, a file of JSON lines, plug-ins.

The runner writes what there is to tell into a queue on disk, and a process of its own sends it: a tracker that is
slow, down or broken costs a run nothing, and gets the rest later.
"""
