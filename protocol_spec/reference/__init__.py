"""
The specification of ``psi/1`` made executable: short, readable, slow, and not constant time.

It needs the standard library only and never imports ``psi``. Run it from the folder above, where
it is the package ``reference``. It is for reading and for test vectors; never give it a secret that matters.
"""
