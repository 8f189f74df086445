"""What is risky about a call, for marks beside its full text. They hide nothing and decide nothing.

Each kind is a row of RULES: its mark, and the patterns that find it in any field of the input. They are
searched for in three forms of the text, so that quotes and variables do not split a word: as it is, without
quotes and backslashes, and with `${IFS}` as a space. A mark too many costs a glance, one too few more: in
doubt there is one. All repetitions have a limit, because an agent writes what is searched.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from workspaces.hostkit.escapes import HIDDEN

MAX_SEARCHED = 20_000
"Characters of an input that are searched. A longer one is marked as such."
CONTENT = frozenset(("content", "old_string", "new_string", "new_source", "diff", "description"))
"Fields with text that is written to a file or for people. It is not executed, and names no files."


@dataclass(frozen=True)
class Risk:
    """A mark of a request: its words and its icon, and what it means."""

    words: str
    icon: str
    title: str


OUTSIDE = Risk("Outside the worktree", "folder", "Names a place that is not in the task's worktree")
ROOT = Risk("Another user's rights", "shield-alert", "Uses sudo or the like")
DELETES = Risk("Deletes or overwrites", "trash-2", "May delete or overwrite files, commits or data")
CREDENTIALS = Risk("Credentials", "key-round", "Names keys, tokens, passwords, or files that hold them")
NETWORK = Risk("Network", "globe", "May send data to other machines, or fetch from them")
UNSEEN = Risk("Runs code that is not shown", "eye", "What is executed comes from elsewhere, or is encoded")
UNSANDBOXED = Risk("Without the sandbox", "shield-alert", "Asks for more than the CLI's sandbox allows")
HIDDEN_CHARACTERS = Risk("Hidden characters", "eye", "Characters that can't be seen are shown as escapes")
TOO_LONG = Risk("Too long to search", "triangle-alert", "Only its beginning was searched for risks")

START = r"(?:^|[\s;&|(){}`=\"'/!<>@])"
"What may stand before the name of a program. Its folder may."
END = r"(?=$|[\s;&|(){}`\"'<>])"
ANYTHING = r"[^;&|\n]{0,400}?"
"The arguments before the one that matters."
NAMES_OF_SECRETS = (
    r"pass(?:word|wd|phrase)|secret|token(?!i)|credential|(?:api|private|access|signing|encryption)[_-]?key"
)


def program(*names: str) -> str:
    """Return a pattern for the use of one of these programs, anywhere in a command."""
    return f"{START}(?:{'|'.join(names)}){END}"


def git(*verbs: str) -> str:
    """Return a pattern for one of these commands of git, whatever options stand before it."""
    option = r"\s{1,20}-\S{1,200}(?:\s{1,20}[^\s-]\S{0,200})?"
    return rf"{START}git(?:{option}){{0,8}}?\s{{1,20}}(?:{'|'.join(verbs)})"


RULES: tuple[tuple[Risk, tuple[str, ...]], ...] = (
    (
        ROOT,
        (
            program("sudo|sudoedit|su|doas|pkexec|runuser|setpriv|gosu|run0|machinectl|nsenter|chroot|runas"),
            r"--privileged\b|--user[= ]root\b",
            program("chmod")
            + r"\s{1,20}(?:-\S{1,20}\s{1,20}){0,4}(?:[ugoa]{0,4}\+[rwxXt]{0,4}s|[2467]\d{3}\b)",
        ),
    ),
    (
        DELETES,
        (
            program(r"rm|rmdir|unlink|shred|truncate|wipe|srm|trash|del|erase|mkfs(?:\.\w+)?|wipefs|rimraf"),
            program("dd") + ANYTHING + r"\bof=",
            r"\s-delete\b|--delete(?:-\w+)?\b|--remove-source-files\b|--prune\b|--force-delete\b",
            r"(?:^|[;&|]\s{0,20})(?::|true|cat\s{1,20}/dev/null)?\s{0,20}>(?!>)\s{0,20}[^\s&]",
            git("reset" + ANYTHING + r"\s--(?:hard|merge|keep)\b"),
            git(
                "push"
                + ANYTHING
                + r"\s(?:--(?:force\S{0,30}|delete|mirror|prune)|-\w{0,9}[fd]\w{0,9}|\+\S|:\S)"
            ),
            git(r"(?:clean|restore|rm|gc|prune|filter-branch|filter-repo|update-ref|rebase|replace)\b"),
            git("checkout" + ANYTHING + r"\s(?:-f|--force|--|\.)(?=$|[\s;&|])"),
            git("(?:switch|checkout)" + ANYTHING + r"\s(?:(?-i:-C|-B)|--discard-changes)\b"),
            git("(?:branch|tag)" + ANYTHING + r"\s(?:-\w{0,9}(?-i:[dDfM])\w{0,9}|--delete|--force)\b"),
            git(
                r"(?:worktree|remote|submodule|stash|notes|reflog)\s{1,20}(?:remove|rm|deinit|drop|clear|prune|expire)"
            ),
            git("commit" + ANYTHING + r"\s--amend\b"),
            r"\b(?:drop\s{1,20}(?:table|database|schema|index|view|user)|truncate\s{1,20}table|delete\s{1,20}from)\b",
            r"\b(?:rmtree|os\.(?:remove|unlink|rmdir|truncate)|fs\.(?:rm|unlink|rmdir)\w{0,9}|Remove-Item)\b",
            r"\.(?:unlink|rmdir)\(|File\.delete|FileUtils\.rm",
            program("docker|podman|kubectl|helm|terraform|tofu|aws|gcloud|az|gh|redis-cli")
            + ANYTHING
            + r"\s(?:rm|rmi|prune|delete|destroy|down|uninstall|rb|flushall|flushdb)\b",
            r'"(?:type|kind|action|operation)": "(?:delete|remove)',
        ),
    ),
    (
        CREDENTIALS,
        (
            r"\.(?:ssh|gnupg|aws|azure|kube|docker|password-store|netrc|npmrc|pypirc|pgpass|my\.cnf)\b",
            r"\.(?:git-credentials|vault-token|pem|p12|pfx|keystore|jks|kdbx|key|envrc)\b",
            r"\bid_(?:rsa|dsa|ecdsa|ed25519)\b|\bauthorized_keys\b|\bknown_hosts\b",
            r"(?<![\w)\]])\.env(?:\.[\w.-]{1,40})?(?![\w-])",
            r"/etc/(?:shadow|gshadow|sudoers|passwd|ssl/private|ssh)\b|/proc/[^/\s]{1,40}/(?:environ|mem)\b",
            r"\bkey(?:chain|ring)s?\b|\.config/(?:gh|gcloud|hub|op)\b|\.claude\.json\b|\.codex/auth",
            program("printenv"),
            program("env", r"export\s{1,20}-p", r"declare\s{1,20}-x", "set") + r"\s{0,20}(?:$|[|;&>])",
            program("gpg2?", "vault", "op", r"ssh-(?:add|keygen|copy-id)", r"gh\s{1,20}auth"),
            program(r"pass\s{1,20}(?:show|ls|insert|edit|cp|git)", r"security\s{1,20}\S{0,20}find\S{0,30}"),
            NAMES_OF_SECRETS,
        ),
    ),
    (
        NETWORK,
        (
            r"\b(?:https?|ftps?|sftp|ssh|wss?|git|rsync|ldap|smtp|telnet)://|/dev/(?:tcp|udp)/",
            program(
                "curl|wget|aria2c|https?|xh|nc|ncat|netcat|socat|telnet|ftp|lftp|sftp|scp|ssh|mosh|rclone"
            ),
            program("nmap|dig|nslookup|host|ping6?|traceroute|sendmail|mail|mutt|openssl\\s{1,20}s_client"),
            program("rsync") + ANYTHING + r"\S:",
            git(r"(?:push|pull|fetch|clone|ls-remote|submodule\s{1,20}update|remote\s{1,20}update)\b"),
            program(
                r"pip[\d.]{0,6}|poetry|conda|npm|pnpm|yarn|bun|gem|bundle|cargo|go|composer|brew|apt|apt-get|uv|"
                "dnf|yum|apk|pacman|snap|nix"
            )
            + ANYTHING
            + r"\s(?:install|add|i|ci|update|upgrade|get|publish|push|download|sync|dlx|exec|login|fetch)\b",
            program(
                "npx|bunx|pipx|uvx|docker|podman|kubectl|helm|terraform|tofu|ansible(?:-\\w{1,20})?|gh|glab"
            ),
            program("aws|gcloud|az|heroku|fly|flyctl|vercel|netlify|wrangler|twine|firebase"),
            r"\b(?:urllib|httpx|aiohttp|XMLHttpRequest|axios|Net::HTTP|LWP::|Invoke-WebRequest)|\bfetch\(",
            r"\brequests\.(?:get|post|put|patch|delete|request)|socket\.(?:socket|create_connection)|net\.connect",
            r'"network\w{0,30}"',
        ),
    ),
    (
        UNSEEN,
        (
            r"\|\s{0,20}(?:\S{0,60}/)?(?:(?:sudo|env)\s{1,20})?(?:ba|z|da|k|fi)?sh\b",
            r"\|\s{0,20}(?:\S{0,60}/)?(?:python|perl|ruby|node|php|xargs)[\d.]{0,6}\b",
            program("eval|source|base64|base32|xxd|uudecode|openssl\\s{1,20}(?:enc|base64)"),
            r"(?:^|[;&|]\s{0,20})\.\s{1,20}\S",
            r"sh\s{1,20}(?:-\w{1,9}\s{1,20}){0,4}<\(|\b(?:exec|eval|compile)\(|\bb64decode\b|\batob\(",
            r"\$'[^']{0,400}?\\(?:x|u|[0-7])",
        ),
    ),
    (
        UNSANDBOXED,
        (
            r"dangerouslyDisableSandbox: true|with_escalated_permissions: true|require_escalated",
            '"grantRoot"',
        ),
    ),
)
FLAGS = re.IGNORECASE | re.MULTILINE
COMPILED = tuple(
    (risk, re.compile("|".join(f"(?:{pattern})" for pattern in patterns), FLAGS)) for risk, patterns in RULES
)
NETWORK_TOOLS = re.compile(r"web|fetch|http|browser|navigate|download|upload|mail", re.IGNORECASE)
MORE_RIGHTS = frozenset(("additionalPermissions", "permissions", "networkApprovalContext"))
QUOTES = re.compile(r"\\\n|['\"\\]")
IFS = re.compile(r"\$\{?IFS\S{0,9}?\}|\$IFS(?:\$\d)?")
URL = re.compile(r"\b(?!file:)[a-z][a-z0-9+.-]{0,20}://[^\s;|\"'<>]{0,2000}", re.IGNORECASE)
BETWEEN_PATHS = re.compile(r"[\s;&|(){}`\"'<>,=:@]+")
OPTION = re.compile(r"^-[\w-]{0,40}(?=[/~$]|\.\.)")
DEVICE = re.compile(r"/dev/(?:null|zero|u?random|std(?:in|out|err)|tty|fd(?:/\d+)?)$")


def risks_of(request: dict[str, Any], worktree: str) -> list[Risk]:
    """Return the risks of a call, in the order of RULES. `worktree` is the folder of its task."""
    texts, others = _texts(request.get("input"))
    text = "\n".join(texts)
    forms = _forms(text[:MAX_SEARCHED])
    found = [OUTSIDE] if _leaves(forms, str(request.get("cwd") or worktree), worktree) else []
    found += [risk for risk, pattern in COMPILED if any(pattern.search(form) for form in forms)]
    if NETWORK not in found and NETWORK_TOOLS.search(str(request.get("tool") or "")):
        found.append(NETWORK)
    given = request.get("input")
    if UNSANDBOXED not in found and isinstance(given, dict) and MORE_RIGHTS & set(given):
        found.append(UNSANDBOXED)
    if HIDDEN.search(text) or any(map(HIDDEN.search, others)):
        found.append(HIDDEN_CHARACTERS)
    return [*found, TOO_LONG] if len(text) > MAX_SEARCHED else found


def _texts(value: Any) -> tuple[list[str], list[str]]:
    """Return the texts of an input at any depth, and apart from them those of CONTENT."""
    texts: list[str] = []
    others: list[str] = []
    stack: list[tuple[str, Any]] = [("", value)]
    while stack:
        name, item = stack.pop()
        if isinstance(item, dict):
            stack += [(str(key), each) for key, each in item.items()]
            others += map(str, item)
        elif isinstance(item, list):
            texts.append(" ".join(each for each in item if isinstance(each, str)))
            stack += [(name, each) for each in item if not isinstance(each, str)]
        elif isinstance(item, str):
            (others if name in CONTENT else texts).append(item)
        if name and item and name not in CONTENT:
            texts += _named(name, item)
    return texts, others


def _named(name: str, item: Any) -> Iterator[str]:
    """Yield the field itself where its name matters."""
    yield f'"{name}"'
    if item is True:
        yield f"{name}: true"
    elif isinstance(item, str):
        yield f'"{name}": "{item[:100]}"'


def _forms(text: str) -> tuple[str, ...]:
    """Return the text as it is, and as a shell reads its words."""
    bare = QUOTES.sub("", text)
    return tuple(dict.fromkeys((text, bare, IFS.sub(" ", bare))))


def _leaves(forms: tuple[str, ...], folder: str, worktree: str) -> bool:
    """Whether the call is made outside the worktree, or names a path there."""
    if not _is_in(folder, worktree):
        return True
    words = {OPTION.sub("", word) for form in forms for word in BETWEEN_PATHS.split(URL.sub(" ", form))}
    return any(not _is_in(posixpath.join(folder, word), worktree) for word in words if _is_path(word))


def _is_path(word: str) -> bool:
    """Whether it may lead out of a folder."""
    starts = word.startswith(("/", "~", "$HOME", "$OLDPWD", "$TMP"))
    return (starts or ".." in word.split("/")) and not DEVICE.match(word) and word.strip("/") != ""


def _is_in(path: str, worktree: str) -> bool:
    """Whether a path is in the worktree by its name. Homes and variables are not."""
    if not worktree or "/~" in path or "/$" in path:
        return False
    clean = posixpath.normpath(path)
    return clean == worktree or clean.startswith(f"{worktree.rstrip('/')}/")
