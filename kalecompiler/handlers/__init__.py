"""Handlers: modules that save and load one kind of object each, where plain pickle would not give it back equal.

A handler's source travels with the steps that may meet such an object, so it imports nothing but the standard library
at its top, and runs on Python 3.9. It has

- `TYPES`, a tuple of dotted names: a value is its own whose class, or a base class, has one of them;
- `MODULES`, optionally: the packages whose import brings such objects, where those of `TYPES` are not all;
- `dump(value, file)`, which writes to a binary file; it may write nothing and return NotImplemented, and the value is
  then saved as if there were no handler;
- `load(file)`, which gives the value again.

What is not here needs no handler: lightgbm, catboost, spaCy, ONNX and sklearn's estimators come out of pickle as
they went in, and so do xgboost's estimators once their `Booster` does. docs/values.md tells how to add one.
"""
