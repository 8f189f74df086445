"""Many runs of all kinds with both real CLIs: our totals are what the scripted endpoint has billed.

`python -m usage.tests.ledger --runs 200 --seed 7 [--oldest] [--at-once 4]` prints one line per session that
differs, and the sums at the end. The exit status is 1 if a difference has no known reason.

What no CLI tells is known by the endpoint: the answers that an interrupt, a lost connection or a kill broke
off. Such an answer may be missing in our totals, or be in them in part, and nothing else may.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aitask.tests.lab.client import ApiError
from aitask.tests.lab.ledger import COUNTED, Entry, Tokens, total
from aitask.tests.lab.tools import OLDEST_CLIS
from tasks.tests.e2e.world import BACKENDS, World, tokens_of
from usage.tests.kinds import KILLS, KINDS, Run

SENT = ("input_tokens", "cache_read_tokens", "cache_write_tokens")
SECONDS = 240
ALLOWED = {
    "outcome": "allow",
    "risk_level": "low",
    "user_authorization": "high",
    "rationale": "It is a test.",
}
APPROVAL_REQUEST = ">>> APPROVAL REQUEST START"
"""In the prompts of the reviewer, who answers for the user in the workspace `reviewed`."""
WORKSPACES = {"claude_code": "chatty", "codex": "reviewed"}
"""Other settings of each CLI: titles, which old versions request, and an automatic review of approvals."""


@dataclass
class Session:
    """Runs that follow each other in one session of a CLI."""

    backend: str
    kinds: list[str]
    workspace: str
    runs: list[Run] = field(default_factory=list)

    def work(self, world: World, workspaces: dict[str, int], until: float) -> None:
        for kind in self.kinds:
            if time.monotonic() > until:
                return
            try:
                run = self._start(world, kind, workspaces[self.workspace])
            except ApiError as error:
                print(f"no follow-up of run {self.runs[-1]['id']} ({self.kinds}): {error}", flush=True)
                return
            self._poke(world, kind, run)
            self._wait(world, run["task"])

    def _wait(self, world: World, task: int) -> None:
        """Wait for all runs of the task: a message that was late has started another one."""
        while left := self._unknown(world, task):
            self.runs += [world.api.wait_for_run(run, timeout=SECONDS) for run in left]

    def _unknown(self, world: World, task: int) -> list[int]:
        known = {run["id"] for run in self.runs}
        return [run for run in world.api.get(f"/api/tasks/{task}")["runs"] if run not in known]

    def _start(self, world: World, name: str, workspace: int) -> Run:
        kind = KINDS[name]
        if not self.runs or not self.runs[-1]["cli_session"]:
            chosen = {"model": kind.model} if kind.model else {}
            return world.start(kind.script, self.backend, title=name, workspace=workspace, **chosen)
        place = self._place(world) if kind.forks else None
        how = {"fork": place} if place else {"resume": True}
        queued: Run = world.api.run_task(self.runs[-1]["task"], prompt=kind.script, model=kind.model, **how)
        return queued

    def _place(self, world: World) -> dict[str, int] | None:
        """Return the place of the first message of the agent that can be forked from."""
        texts = ((run, event) for run in self.runs for event in world.events(run, "text"))
        return next(
            ({"run": run["number"], "seq": event["seq"]} for run, event in texts if event.get("anchor")), None
        )

    def _poke(self, world: World, kind: str, run: Run) -> None:
        poke = KINDS[kind].poke
        try:
            if poke:
                poke(world, run | {"backend": self.backend})
        except (ApiError, OSError, ValueError) as error:  # the run has just ended
            print(f"run {run['id']} ({kind}): {error}", flush=True)

    def entries(self, world: World) -> list[Entry]:
        """Return the requests of all sessions of these runs, with those of sub-agents and reviewers."""
        events = (event for run in self.runs for event in world.events(run))
        ids = {event["cli_session"] for event in events if event.get("cli_session")}
        ids |= {run["cli_session"] for run in self.runs}
        return world.endpoint.ledger.entries(lambda entry: entry.root in ids)

    def difference(self, world: World) -> Tokens:
        """Return what was billed for whole answers, without what we have counted."""
        billed = total(entry for entry in self.entries(world) if entry.complete)
        ours = sum(map(tokens_of, self.runs), Tokens())
        return Tokens(*(getattr(billed, name) - getattr(ours, name) for name in COUNTED))

    def _untold(self, world: World, run: Run) -> int:
        """Return how many answers of a run have no end that its CLI has told."""
        told = world.events(run, "usage")
        return int(told[-1].get("untold") or 0) if told else 0

    def is_explained(self, world: World) -> bool:
        """Whether the difference is that of answers that were broken off.

        One that an interrupt broke off may be counted, too, with a part of its output. The last one before a
        kill may be missing, or have only the first word of its output. So may one that is whole for the
        endpoint, if the run says that its end was not told: the interrupt came between the two.
        """
        entries, difference = self.entries(world), self.difference(world)
        broken = [entry.tokens for entry in entries if not entry.complete]
        kills = sum(kind in KILLS for kind in self.kinds)
        kills += max(0, sum(self._untold(world, run) for run in self.runs) - len(broken))
        ends = [entry.tokens for entry in entries if entry.complete] if kills else []
        unsaid = sum(sorted(end.output_tokens for end in ends)[-kills or len(ends) :])
        for counted in _some(broken, len(broken)):
            for missing in _some(ends, kills):
                lacks = sum(missing, Tokens())
                more = sum(counted, Tokens())
                same = all(
                    getattr(difference, name) == getattr(lacks, name) - getattr(more, name) for name in SENT
                )
                most = lacks.output_tokens + unsaid
                if same and -more.output_tokens <= difference.output_tokens <= most:
                    return True
        return False


def _some(found: list[Tokens], most: int) -> itertools.chain[tuple[Tokens, ...]]:
    """Return all choices of at most so many."""
    return itertools.chain.from_iterable(itertools.combinations(found, size) for size in range(most + 1))


def planned(runs: int, seed: int) -> list[Session]:
    """Return sessions with so many runs in total; every kind occurs if there are enough."""
    chance = random.Random(seed)
    sessions: list[Session] = []
    due = {
        backend: [name for name, kind in KINDS.items() if backend in kind.backends] for backend in BACKENDS
    }
    pools: dict[str, list[str]] = {backend: [] for backend in BACKENDS}
    while runs > 0:
        backend = BACKENDS[len(sessions) % len(BACKENDS)]
        kinds = []
        for _ in range(min(runs, chance.choice((1, 2, 3, 4, 5)))):
            pools[backend] = pools[backend] or chance.sample(due[backend], len(due[backend]))
            kinds.append(pools[backend].pop())
        runs -= len(kinds)
        sessions.append(Session(backend, kinds, chance.choice(("here", WORKSPACES[backend]))))
    return sessions


def add_workspaces(world: World) -> dict[str, int]:
    chatty = world.environment(CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="")
    reviewed = world.environment()
    config = Path(reviewed["CODEX_HOME"], "config.toml")
    config.write_text(f'approvals_reviewer = "auto_review"\n{config.read_text()}')
    world.endpoint.scripts[APPROVAL_REQUEST] = f"@text {json.dumps(ALLOWED)}"
    everything: dict[str, Any] = {"permission_mode": "full"}  # nobody answers requests here
    return {
        "here": world.add_workspace("here", **everything)["id"],
        "chatty": world.add_workspace("chatty", environment=chatty, **everything)["id"],
        "reviewed": world.add_workspace("reviewed", environment=reviewed, permission_mode="edits")["id"],
    }


def measured(world: World, sessions: list[Session], at_once: int, until: float) -> list[str]:
    """Let all sessions work, and return what differs without a known reason."""
    workspaces = add_workspaces(world)
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(lambda session: session.work(world, workspaces, until), sessions))
    return unexplained(world, sessions) + audited(world)


def unexplained(world: World, sessions: list[Session]) -> list[str]:
    """Return what differs without a known reason, and print all that differs."""
    wrong = strangers(world, sessions)
    for session in filter(lambda session: session.runs, sessions):
        difference = session.difference(world)
        if difference != Tokens():
            is_explained = session.is_explained(world)
            said = f"{session.backend} {session.runs[0]['cli_session']} {session.kinds}: {difference}"
            print("broken off" if is_explained else "WRONG", said, flush=True)
            wrong += [] if is_explained else [said]
    return wrong


def strangers(world: World, sessions: list[Session]) -> list[str]:
    """Return the requests that belong to no session of these runs."""
    known = {entry.number for session in sessions for entry in session.entries(world)}
    unknown = world.endpoint.ledger.entries(lambda entry: entry.number not in known)
    return [f"a request of no session: {entry}" for entry in unknown]


def audited(world: World) -> list[str]:
    """Return what the audit reports as a difference, or would correct."""
    said = world.app.manage("audit_usage", check=False)
    print(said)
    signs = (" recorded", "counted wrongly", "not corrected", "no transcript on the host")
    return [line for line in said.splitlines() if any(sign in line for sign in signs)]


def summary(world: World, sessions: list[Session]) -> str:
    runs = [run for session in sessions for run in session.runs]
    totals = world.api.get("/api/usage")["totals"]
    ours = Tokens(**{name: totals[name] for name in COUNTED})
    versions = sorted({event["cli_version"] for run in runs for event in world.events(run, "started")})
    exact = sum(session.difference(world) == Tokens() for session in sessions if session.runs)
    entries = world.endpoint.ledger.entries()
    used = [session for session in sessions if session.runs]
    return "\n".join(
        (
            f"{len(runs)} runs in {len(used)} sessions, {', '.join(versions)}",
            f"states: {dict(Counter(run['state'] for run in runs))}",
            f"requests: {len(entries)}, of which broken off: {sum(not entry.complete for entry in entries)}",
            f"sessions that are exactly equal: {exact}",
            f"ours:   {ours}",
            f"billed: {world.endpoint.ledger.total()}",
        )
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--at-once", type=int, default=4, help="sessions that work at the same time")
    parser.add_argument("--oldest", action="store_true", help="use the oldest supported CLIs")
    parser.add_argument("--minutes", type=float, default=60, help="start no run after this time")
    options = parser.parse_args()
    if options.oldest:
        os.environ["AITASK_TEST_TOOLS"] = str(OLDEST_CLIS)
    began, sessions = time.monotonic(), planned(options.runs, options.seed)
    with World() as world:
        wrong = measured(world, sessions, options.at_once, began + 60 * options.minutes)
        print(f"{summary(world, sessions)}\nseconds: {time.monotonic() - began:.0f}")
    print("\n".join(["WRONG:", *wrong]) if wrong else "equal")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
