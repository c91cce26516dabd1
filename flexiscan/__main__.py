"""`python -m flexiscan`."""

from __future__ import annotations

from flexiscan.cli.main import main

if __name__ == "__main__":
    main()
