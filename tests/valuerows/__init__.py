"""Rows of the table of values, one module a family: IMPORTS for the notebook, and ROWS."""
