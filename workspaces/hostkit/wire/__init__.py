"""The JSON that the app and hostkit exchange, and the files that hostkit writes on the host.

Both sides import this package, as one namespace. Hosts may run Python 3.8, where annotations are never
evaluated, and subcommands that must start quickly import it only for type checking. Each verb of `serve` has
a type for its parameters (…Params) and one for its answer.

Times are ISO 8601 in UTC if they are text, seconds since 1970 if they are numbers. Text of files and programs
may contain surrogates for bytes that are not UTF-8. Data that an agent could have written is not trusted: the
app checks it (`workspaces/hosts/untrusted.py`) before it is used as one of these types.
"""

from __future__ import annotations

from .attachments import *
from .base import *
from .clis import *
from .commands import *
from .events import *
from .files import *
from .git import *
from .live import *
from .ports import *
from .progress import *
from .proposals import *
from .repositories import *
from .run_folders import *
from .runs import *
from .spotlight import *
from .tokens import *
from .verbs import *
