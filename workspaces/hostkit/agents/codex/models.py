"""The models of Codex, by `model/list` of its app-server: no login, no network, no cost."""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple

from ...base.talk import NoAnswer, Talk
from ...wire import Json, ModelOffer, OfferedModel
from .protocol import GREETING

ACCOUNT, FIRST_PAGE = 2, 3
ACCOUNT_SECONDS = 1.0
"""How long the word about the account is awaited once the models are known."""
MOST_PAGES = 50


def ask(talk: Talk) -> ModelOffer:
    answers: Dict[int, Json] = {}
    talk.send(*GREETING, {"id": ACCOUNT, "method": "account/read", "params": {}})
    models = _pages(talk, answers)
    account, logged_in = _account(_awaited(talk, ACCOUNT, answers))
    return {
        "models": [_model(each) for each in models if not each.get("hidden")],
        "account": account,
        "logged_in": logged_in,
        "version": _version((answers.get(1) or {}).get("result") or {}),
    }


def _pages(talk: Talk, answers: Dict[int, Json]) -> List[Json]:
    models: List[Json] = []
    cursor = None
    for number in range(FIRST_PAGE, FIRST_PAGE + MOST_PAGES):
        params: Json = {"cursor": cursor} if cursor else {}
        talk.send({"id": number, "method": "model/list", "params": params})
        page = _answer(talk, number, answers)
        models += page.get("data") or []
        cursor = page.get("nextCursor")
        if not cursor:
            return models
    raise NoAnswer(f"codex gave more than {MOST_PAGES} pages of models.")


def _answer(talk: Talk, number: int, answers: Dict[int, Json]) -> Json:
    """The result of this request; answers to others that come before are kept."""
    for line in talk.lines():
        if "method" in line or "id" not in line:
            continue
        answers[line["id"]] = line
        if line["id"] == number:
            break
    answer = answers[number]
    if "error" in answer:
        raise NoAnswer(f"codex refused to tell its models: {(answer['error'] or {}).get('message')}")
    result: Json = answer.get("result") or {}
    return result


def _awaited(talk: Talk, number: int, answers: Dict[int, Json]) -> Json:
    """The result of a request that may stay without an answer."""
    if number not in answers:
        try:
            for line in talk.lines(ACCOUNT_SECONDS):
                if line.get("id") == number:
                    answers[number] = line
                    break
        except NoAnswer:
            return {}
    result: Json = answers[number].get("result") or {}
    return result


def _model(said: Json) -> OfferedModel:
    efforts: List[Json] = said.get("supportedReasoningEfforts") or []
    return {
        "id": said["id"],
        "name": said.get("displayName") or said["id"],
        "description": said.get("description") or "",
        "is_default": bool(said.get("isDefault")),
        "reasoning_efforts": [
            {"id": each["reasoningEffort"], "description": each.get("description") or ""} for each in efforts
        ],
        "default_reasoning_effort": said.get("defaultReasoningEffort"),
        "resolves_to": said.get("model"),
    }


def _version(said: Json) -> Optional[str]:
    """From "name/0.169.0 (Linux …)"."""
    return str(said.get("userAgent") or "").partition("/")[2].partition(" ")[0] or None


def _account(said: Json) -> Tuple[str, Optional[bool]]:
    """Its kind, and whether anybody is logged in (None: not known). An own provider needs no login."""
    account = said.get("account") or {}
    if account:
        return str(account.get("planType") or account.get("type") or ""), True
    needed = said.get("requiresOpenaiAuth")
    return "", False if needed else None
