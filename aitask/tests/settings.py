"""Settings of test runs, which never use the data of the developer's installation."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

if "DATA_DIR" not in os.environ:
    os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="aitask-tests-")
    atexit.register(shutil.rmtree, os.environ["DATA_DIR"], ignore_errors=True)

from aitask.settings import *  # noqa: F403

# The real hasher takes 0.3 s per password on purpose, and nearly every test creates users.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Else each Client of a test would look through all static files.
WHITENOISE_AUTOREFRESH = True

# pytest's processes share one Redis, and the rows of their databases have the same ids.
Q_CLUSTER = {**Q_CLUSTER, "name": f"aitask-{os.environ.get('PYTEST_XDIST_WORKER', 'tests')}"}  # noqa: F405
