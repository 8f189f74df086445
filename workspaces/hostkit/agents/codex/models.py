"""The models of Codex, by `model/list` of its app-server, which needs no login and no network."""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple

from ...base.talk import NoAnswer, Talk
from ...wire import Json, ModelOffer, OfferedModel
from .protocol import HANDSHAKE

ACCOUNT, FIRST_PAGE = 2, 3
ACCOUNT_SECONDS = 1.0
"""How long to wait for the account after the models are known."""
MAX_PAGES = 50


def ask(talk: Talk) -> ModelOffer:
    answers: Dict[int, Json] = {}
    talk.send(*HANDSHAKE, {"id": ACCOUNT, "method": "account/read", "params": {}})
    models = _pages(talk, answers)
    account, logged_in = _account(_optional_answer(talk, ACCOUNT, answers))
    return {
        "models": [_model(each) for each in models if not each.get("hidden")],
        "account": account,
        "logged_in": logged_in,
        "version": _version((answers.get(1) or {}).get("result") or {}),
    }


def _pages(talk: Talk, answers: Dict[int, Json]) -> List[Json]:
    models: List[Json] = []
    cursor = None
    for number in range(FIRST_PAGE, FIRST_PAGE + MAX_PAGES):
        params: Json = {"cursor": cursor} if cursor else {}
        talk.send({"id": number, "method": "model/list", "params": params})
        page = _answer(talk, number, answers)
        models += page.get("data") or []
        cursor = page.get("nextCursor")
        if not cursor:
            return models
    raise NoAnswer(f"codex returned more than {MAX_PAGES} pages of models.")


def _answer(talk: Talk, number: int, answers: Dict[int, Json]) -> Json:
    """Wait for the result of this request. Store earlier answers to other requests."""
    for line in talk.lines():
        if "method" in line or "id" not in line:
            continue
        answers[line["id"]] = line
        if line["id"] == number:
            break
    answer = answers[number]
    if "error" in answer:
        raise NoAnswer(f"codex did not list its models: {(answer['error'] or {}).get('message')}")
    result: Json = answer.get("result") or {}
    return result


def _optional_answer(talk: Talk, number: int, answers: Dict[int, Json]) -> Json:
    """Return the result of a request; empty if it is not answered in time."""
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


def _model(model: Json) -> OfferedModel:
    efforts: List[Json] = model.get("supportedReasoningEfforts") or []
    return {
        "id": model["id"],
        "name": model.get("displayName") or model["id"],
        "description": model.get("description") or "",
        "is_default": bool(model.get("isDefault")),
        "reasoning_efforts": [
            {"id": each["reasoningEffort"], "description": each.get("description") or ""} for each in efforts
        ],
        "default_reasoning_effort": model.get("defaultReasoningEffort"),
        "resolves_to": model.get("model"),
        "takes_pictures": _takes_pictures(model.get("inputModalities")),
    }


def _takes_pictures(modalities: object) -> Optional[bool]:
    return "image" in modalities if isinstance(modalities, list) and modalities else None


def _version(result: Json) -> Optional[str]:
    """Extract the version from a user agent such as "name/0.169.0 (Linux …)"."""
    return str(result.get("userAgent") or "").partition("/")[2].partition(" ")[0] or None


def _account(result: Json) -> Tuple[str, Optional[bool]]:
    """Return the kind of account, and whether Codex is logged in; None for providers that need no login."""
    account = result.get("account") or {}
    if account:
        return str(account.get("planType") or account.get("type") or ""), True
    needed = result.get("requiresOpenaiAuth")
    return "", False if needed else None
