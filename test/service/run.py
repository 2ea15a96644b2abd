#!/usr/bin/python3
"""The tests of the service: run.py [MODULE …]; all of them without."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import main  # noqa: E402

names = sys.argv[1:] or sorted(f[:-3] for f in os.listdir(os.path.dirname(os.path.abspath(__file__)))
                               if f.startswith("test_") and f.endswith(".py"))
sys.exit(main(*names))
