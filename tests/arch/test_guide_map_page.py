"""docs/guide-map.md is what `make docs` makes of the data."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_made_from_the_data():
    made = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "guide_map.py")], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert made.stdout == (ROOT / "docs" / "guide-map.md").read_text(), "run: make docs"
