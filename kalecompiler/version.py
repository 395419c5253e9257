"""The version of kalecompiler, in one place: the build reads it here, and so does the compiler."""

VERSION = "0.1.0"
