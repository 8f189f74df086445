"""The models of Claude Code, by the control request `initialize`. Needs no login and no network."""

from __future__ import annotations

from contextlib import suppress
from typing import List, Optional, Tuple

from ...base.talk import NO_TIMEOUT, NoAnswer, Talk
from ...wire import Json, ModelOffer, OfferedModel

KEY, VERSION = "models", "version"
VERSION_SECONDS = 1.0
"""How long to wait for the version after the models are known."""


def ask(talk: Talk) -> ModelOffer:
    talk.send(_request(KEY, "initialize"))
    offer = _offer(_response(talk, KEY))
    talk.send(_request(VERSION, "get_binary_version"))
    with suppress(NoAnswer):
        version = _response(talk, VERSION, VERSION_SECONDS).get("response") or {}
        offer["version"] = version.get("version")
    return offer


def _request(key: str, subtype: str) -> Json:
    return {"type": "control_request", "request_id": key, "request": {"subtype": subtype}}


def _response(talk: Talk, key: str, timeout: float = NO_TIMEOUT) -> Json:
    for line in talk.lines(timeout):
        response: Json = line.get("response") or {}
        if line.get("type") == "control_response" and response.get("request_id") == key:
            return response
    raise NoAnswer("claude did not answer.")


def _offer(response: Json) -> ModelOffer:
    if response.get("subtype") == "error":
        raise NoAnswer(f"claude did not list its models: {response.get('error')}")
    body: Json = response.get("response") or {}
    account, logged_in = _account(body.get("account") or {})
    models = [_model(each) for each in body.get("models") or []]
    return {"models": models, "account": account, "logged_in": logged_in}


def _model(model: Json) -> OfferedModel:
    efforts: List[str] = model.get("supportedEffortLevels") or []
    return {
        "id": model["value"],
        "name": model.get("displayName") or model["value"],
        "description": model.get("description") or "",
        "is_default": model["value"] == "default",
        "reasoning_efforts": [{"id": effort, "description": ""} for effort in efforts],
        "default_reasoning_effort": None,
        "resolves_to": model.get("resolvedModel"),
    }


def _account(account: Json) -> Tuple[str, Optional[bool]]:
    """Return the kind of account, and whether the CLI is logged in (None: not reported)."""
    token = account.get("tokenSource")
    kind = (
        account.get("subscriptionType") or account.get("apiKeySource") or (token if token != "none" else None)
    )
    provider = account.get("apiProvider")
    if kind or not account or provider not in (None, "firstParty"):
        return str(kind or provider or ""), True if kind else None
    return "", False
