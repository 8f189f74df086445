"""The models of Claude Code, by the control request `initialize`: no login, no network, no cost."""

from __future__ import annotations

from contextlib import suppress
from typing import List, Optional, Tuple

from ...base.talk import NO_TIMEOUT, NoAnswer, Talk
from ...wire import Json, ModelOffer, OfferedModel

KEY, VERSION = "models", "version"
VERSION_SECONDS = 1.0
"""How long the word about the version is awaited once the models are known."""


def ask(talk: Talk) -> ModelOffer:
    talk.send(_request(KEY, "initialize"))
    offer = _offer(_response(talk, KEY))
    talk.send(_request(VERSION, "get_binary_version"))
    with suppress(NoAnswer):
        said = _response(talk, VERSION, VERSION_SECONDS).get("response") or {}
        offer["version"] = said.get("version")
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
        raise NoAnswer(f"claude refused to tell its models: {response.get('error')}")
    said: Json = response.get("response") or {}
    account, logged_in = _account(said.get("account") or {})
    models = [_model(each) for each in said.get("models") or []]
    return {"models": models, "account": account, "logged_in": logged_in}


def _model(said: Json) -> OfferedModel:
    efforts: List[str] = said.get("supportedEffortLevels") or []
    return {
        "id": said["value"],
        "name": said.get("displayName") or said["value"],
        "description": said.get("description") or "",
        "is_default": said["value"] == "default",
        "reasoning_efforts": [{"id": effort, "description": ""} for effort in efforts],
        "default_reasoning_effort": None,
        "resolves_to": said.get("resolvedModel"),
    }


def _account(said: Json) -> Tuple[str, Optional[bool]]:
    """Who pays, and whether anybody is logged in: None for a version that does not say."""
    token = said.get("tokenSource")
    kind = said.get("subscriptionType") or said.get("apiKeySource") or (token if token != "none" else None)
    provider = said.get("apiProvider")
    if kind or not said or provider not in (None, "firstParty"):
        return str(kind or provider or ""), True if kind else None
    return "", False
