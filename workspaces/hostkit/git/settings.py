"""Which settings of a repository's configuration the app's own git may use."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Dict, Iterable, List, Optional, Set, Tuple

Setting = Tuple[str, Optional[str]]
"""A key in git's normal form, and its value. The value is None for a key without `=`, which means true."""

SECONDS = 20.0
HARMLESS = re.compile(
    r"core\.(repositoryformatversion|filemode|bare|ignorecase|symlinks|precomposeunicode|autocrlf|eol|safecrlf"
    r"|bigfilethreshold|compression|loosecompression|sharedrepository|logallrefupdates|quotepath|protecthfs"
    r"|protectntfs|trustctime|checkstat|abbrev|commentchar|whitespace|longpaths)"
    r"|extensions\.(objectformat|compatobjectformat|refstorage|relativeworktrees|preciousobjects|noop.*)"
    r"|(user|author|committer)\.(name|email|useconfigonly)"
    r"|i18n\..*|index\.(version|threads|skiphash)"
    r"|merge\.(conflictstyle|renames|renamelimit|directoryrenames|renormalize|log|ff)"
    r"|diff\.(algorithm|renames|renamelimit|indentheuristic)"
    r"|branch\..*\.(merge|rebase|description)"
    r"|submodule\..*\.(url|active|path|branch|ignore|fetchrecursesubmodules|shallow)"
)
"""Keys whose present value is used: none of them names a program, a file or a place to push to."""
REMOTE_NAMES = re.compile(r"branch\..*\.(remote|pushremote)|remote\.pushdefault")
"""Keys that name a remote or contain a URL. A name of a trusted remote is harmless."""
UNUSED = re.compile(
    r"(alias|color|pull|fetch|gui|gitk|web|instaweb|pager|browser|difftool|mergetool|format|sendemail|help|init"
    r"|advice|log|status|column|blame|tag|checkout|svn|svn-remote|gitweb|man|interactive|add|am|apply|bisect"
    r"|clean|clone|completion|gc|maintenance|pack|receive|trace2|uploadarchive|versionsort|worktree|stash"
    r"|showbranch|sequence|rebase|notes|safe|feature|lfs\..*\.access|lfs\.repositoryformatversion)(\..*)?"
    r"|branch\.[^.]*|core\.(editor|pager|askpass|worktree|untrackedcache|preloadindex|fsmonitorhookversion"
    r"|sparsecheckout|sparsecheckoutcone|multipackindex|commitgraph|splitindex|deltabasecachelimit|packedgit.*"
    r"|packedrefstimeout|filesreflocktimeout|fsync.*|createobject)"
    r"|extensions\.worktreeconfig|index\.sparse"
    r"|diff\.(?!external$)[^.]*|submodule\.[^.]*|merge\.(?!verifysignatures$)[^.]*"
)
"""Keys that do not matter to the app's git commands. They are neither used nor reported."""
COMMANDS = re.compile(r"(filter\..*\.(clean|smudge|process)|merge\..*\.driver|diff\..*\.(command|textconv))")
SCRIPT = re.compile(r"\.(py|js|mjs|cjs|ts|sh|bash|zsh|rb|pl|php|lua)$")
OVERRIDES: List[Setting] = [
    ("core.fsmonitor", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("submodule.recurse", "false"),
    ("fetch.recursesubmodules", "false"),
]


def read_settings(path: Path, *, includes: bool) -> List[Setting]:
    """Return the settings of a configuration file in their order.

    Raises OSError and subprocess.SubprocessError if it can't be read. git runs no program for this.
    """
    which = "--includes" if includes else "--no-includes"
    done = subprocess.run(
        ["git", "config", "--file", str(path), which, "--null", "--list"],
        env={name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=SECONDS,
        check=True,
    )
    records = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    return [_setting(record) for record in records if record]


def _setting(record: str) -> Setting:
    key, separator, value = record.partition("\n")
    return key, value if separator else None


def remotes_of(settings: Iterable[Setting]) -> Set[str]:
    """Return the names of the remotes, and the name for the repository itself."""
    keys = (key for key, _ in settings if key.startswith("remote."))
    return {key[len("remote.") :].rpartition(".")[0] for key in keys} - {""} | {"."}


def is_harmless(setting: Setting, remotes: Set[str]) -> bool:
    """Return whether the present value may be used although an agent may have written it."""
    key, value = setting
    name = key.lower()
    return bool(HARMLESS.fullmatch(name) or (REMOTE_NAMES.fullmatch(name) and value in remotes))


def is_reported(setting: Setting, remotes: Set[str]) -> bool:
    """Return whether the setting matters and is used only after a person has accepted it."""
    return not is_harmless(setting, remotes) and not UNUSED.fullmatch(setting[0].lower())


def effective(trusted: List[Setting], present: List[Setting]) -> List[Setting]:
    """Return the settings to use: those that matter as trusted, the harmless ones as they are now."""
    remotes = remotes_of(trusted)
    kept = [each for each in trusted if each[0].lower() not in NOT_KEPT]
    return kept + [each for each in present if is_harmless(each, remotes)] + OVERRIDES


NOT_KEPT = {"core.worktree", "extensions.worktreeconfig", "core.fsmonitor", "extensions.partialclone"}
"""Trusted keys that would lead git out of the trusted folder, or to a program that is never needed."""


def changes(trusted: List[Setting], present: List[Setting]) -> List[Tuple[str, List[str], List[str]]]:
    """Return what a person would have to accept: (key, trusted values, present values)."""
    remotes = remotes_of(trusted)
    before, now = (_by_key(settings, remotes) for settings in (trusted, present))
    keys = list(dict.fromkeys([*before, *now]))
    return [(k, before.get(k, []), now.get(k, [])) for k in keys if before.get(k, []) != now.get(k, [])]


def _by_key(settings: List[Setting], remotes: Set[str]) -> Dict[str, List[str]]:
    found: Dict[str, List[str]] = {}
    for key, value in settings:
        if is_reported((key, value), remotes):
            found.setdefault(key, []).append("true" if value is None else value)
    return found


def drivers_in_the_tree(settings: Iterable[Setting]) -> List[str]:
    """Return the keys of filters and drivers whose program lies in the worktree, where agents write."""
    return [
        key for key, value in settings if COMMANDS.fullmatch(key.lower()) and _is_in_the_tree(value or "")
    ]


def _is_in_the_tree(command: str) -> bool:
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    return any(
        ("/" in word or SCRIPT.search(word)) and not word.startswith(("/", "~", "-", "$HOME/", "http"))
        for word in words
    )


def as_file(settings: Iterable[Setting]) -> bytes:
    """Return a configuration file with these settings."""
    lines = []
    for key, value in settings:
        section, _, name = key.rpartition(".")
        head, _, sub = section.partition(".")
        lines.append(f'[{head} "{_quoted(sub)}"]' if sub else f"[{head}]")
        lines.append(f"\t{name}" if value is None else f'\t{name} = "{_quoted(value, newlines=True)}"')
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")


def _quoted(text: str, newlines: bool = False) -> str:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return quoted.replace("\n", "\\n").replace("\t", "\\t").replace("\b", "\\b") if newlines else quoted
