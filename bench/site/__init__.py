"""A site of a known size, written by COPY: the same rows for the same seed and moment."""
