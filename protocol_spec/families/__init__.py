"""
Make the families of test vectors with the reference; ``generate.py`` in the folder above writes them.

A family yields pairs of a file name and its content, always the same. Nothing here draws randomness.
"""
