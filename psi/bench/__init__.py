"""
Set `psi` beside the other ways to find the people on both of two lists, as programs that are run and checked.

`benchmark.run` measures a plan, `making.write_bundle` writes what came of it as a signed bundle, `bundle.verify` checks
one. The modules `party` and `relay` are also processes, so nothing is imported here.
"""
