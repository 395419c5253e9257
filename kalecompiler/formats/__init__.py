"""Findings in the formats that CI systems read: one small module a format, each a pure function to text."""
