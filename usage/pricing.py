"""What tokens cost by the published prices: an estimate where the CLI reports no cost. Works offline."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from importlib.metadata import version

from workspaces import clis

SAMPLE = 1000
"""Prices are read off a small request: several models cost more per token in a single very long one, and the
sum of a run must not be taken for such a request."""
CHECKED = re.compile(r"verified on (20\d\d-\d\d-\d\d)")


def estimate(
    backend: str, model: str, tokens: Mapping[str, int], at: datetime | None = None
) -> Decimal | None:
    """Dollars for these tokens at the prices of that day; None for a model without a known price."""
    cli = clis.find(backend)
    if not model or cli is None or not cli.provider:
        return None
    rates = _rates(cli.provider, model, (at or datetime.now(UTC)).date())
    return sum((rates[kind] * tokens[kind] for kind in rates), Decimal(0)) if rates else None


@lru_cache(maxsize=1000)
def _rates(provider: str, model: str, day: date) -> dict[str, Decimal] | None:
    """Dollars per token of each kind. Our input excludes cached tokens, the library's includes them."""
    from genai_prices import Usage, calc_price  # 20 MB that most processes never need

    samples = {
        "input_tokens": {"input_tokens": SAMPLE},
        "cache_read_tokens": {"input_tokens": SAMPLE, "cache_read_tokens": SAMPLE},
        "cache_write_tokens": {"input_tokens": SAMPLE, "cache_write_tokens": SAMPLE},
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
    """The list of prices with its version and the newest day on which a price of it was checked."""
    from genai_prices.data import providers

    own = {cli.provider for cli in clis.every()}
    ours = (each for each in providers if each.id in own)
    notes = " ".join(model.price_comments or "" for each in ours for model in each.models)
    newest = max(CHECKED.findall(notes), default="")
    return f"genai-prices {version('genai-prices')}" + (f" (prices checked until {newest})" if newest else "")
