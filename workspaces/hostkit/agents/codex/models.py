"""The models of Codex, by `model/list` of its app-server: no login, no network, no cost."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from ...base.talk import NoAnswer, Talk
from ...files import Json
from .protocol import GREETING

ACCOUNT, FIRST_PAGE = 2, 3
ACCOUNT_SECONDS = 1.0
"""How long the word about the account is awaited once the models are known."""
MOST_PAGES = 50


def ask(talk: Talk) -> Json:
    answers: Dict[Any, Json] = {}
    talk.send(*GREETING, {"id": ACCOUNT, "method": "account/read", "params": {}})
    models = _pages(talk, answers)
    offer: Json = {"models": [_model(each) for each in models if not each.get("hidden")]}
    offer.update(_account(_awaited(talk, ACCOUNT, answers)))
    offer["version"] = _version((answers.get(1) or {}).get("result") or {})
    return offer


def _pages(talk: Talk, answers: Dict[Any, Json]) -> List[Json]:
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


def _answer(talk: Talk, number: int, answers: Dict[Any, Json]) -> Json:
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


def _awaited(talk: Talk, number: int, answers: Dict[Any, Json]) -> Json:
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


def _model(said: Json) -> Json:
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


def _account(said: Json) -> Json:
    """A provider of one's own needs no login; a version that does not say leaves it open."""
    account = said.get("account") or {}
    if account:
        return {"account": str(account.get("planType") or account.get("type") or ""), "logged_in": True}
    needed = said.get("requiresOpenaiAuth")
    return {"account": "", "logged_in": False if needed else None}
