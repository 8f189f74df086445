"""A pytest plugin, loaded before the settings: tests never touch the data of the installation they run in."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

data_dir = tempfile.mkdtemp(prefix="aitask-tests-")
os.environ["DATA_DIR"] = data_dir
atexit.register(shutil.rmtree, data_dir, ignore_errors=True)
