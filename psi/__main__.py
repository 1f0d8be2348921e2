"""Run the command line: ``python -m psi`` is ``psi``."""

from psi.cli import main

if __name__ == "__main__":
    main()
