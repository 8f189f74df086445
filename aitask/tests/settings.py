"""The settings of test runs, which never touch the data of the installation that they run in."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

if "DATA_DIR" not in os.environ:
    os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="aitask-tests-")
    atexit.register(shutil.rmtree, os.environ["DATA_DIR"], ignore_errors=True)

from aitask.settings import *  # noqa: F403

# The real one takes 0.3 s a password on purpose, and nearly every test makes a person or three.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
