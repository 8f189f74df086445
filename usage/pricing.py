"""Cost estimates from published prices, for CLIs that don't report costs. Works offline."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from importlib.metadata import version

from workspaces import clis

SAMPLE = 1000
"""Tokens of the request that prices are derived from. It is small because some models cost more per token in
very long requests, and the total of a run is not a single request."""
CHECKED = re.compile(r"verified on (20\d\d-\d\d-\d\d)")


HOUR = "cache_write_1h_tokens"
"""Those of the cache writes that are kept for an hour, which have a price of their own."""


def estimate(
    backend: str, model: str, tokens: Mapping[str, int], at: datetime | None = None
) -> Decimal | None:
    """Return the dollars for these tokens at that day's prices; None if the model has no known price.

    The tokens may include `cache_write_1h_tokens`, which are part of the cache writes.
    """
    cli = clis.find(backend)
    if not model or cli is None or not cli.provider:
        return None
    rates = _rates(cli.provider, model, (at or datetime.now(UTC)).date())
    hour = min(tokens.get(HOUR, 0), tokens["cache_write_tokens"])
    amounts = {**tokens, HOUR: hour, "cache_write_tokens": tokens["cache_write_tokens"] - hour}
    return sum((rates[kind] * amounts[kind] for kind in rates), Decimal(0)) if rates else None


@lru_cache(maxsize=1000)
def _rates(provider: str, model: str, day: date) -> dict[str, Decimal] | None:
    """Return dollars per token of each kind.

    Our input tokens exclude cached ones, while those of `genai_prices` include them.
    """
    from genai_prices import Usage, calc_price  # uses 20 MB, and most processes don't need it

    samples = {
        "input_tokens": {"input_tokens": SAMPLE},
        "cache_read_tokens": {"input_tokens": SAMPLE, "cache_read_tokens": SAMPLE},
        "cache_write_tokens": {"input_tokens": SAMPLE, "cache_write_tokens": SAMPLE},
        HOUR: {"input_tokens": SAMPLE, "cache_write_tokens": SAMPLE, HOUR: SAMPLE},
        "output_tokens": {"output_tokens": SAMPLE},
    }
    moment = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    try:
        return {
            kind: Decimal(
                calc_price(
                    Usage(**sample), model, provider_id=provider, genai_request_timestamp=moment
                ).total_price
            )
            / SAMPLE
            for kind, sample in samples.items()
        }
    except (LookupError, ValueError):
        return None


@lru_cache(maxsize=1)
def source() -> str:
    """Return the name and version of the price list, and the last day on which a price was checked."""
    from genai_prices.data import providers

    own = {cli.provider for cli in clis.every()}
    used = (provider for provider in providers if provider.id in own)
    notes = " ".join(model.price_comments or "" for provider in used for model in provider.models)
    newest = max(CHECKED.findall(notes), default="")
    return f"genai-prices {version('genai-prices')}" + (f" (prices checked until {newest})" if newest else "")
