"""The life of credentials as a small picture in SVG: what is held, when fetches failed, and what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from ramrole_creds.events import Fetched, FetchFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ramrole_creds.events import Event

WIDTH: Final = 760
HEIGHT: Final = 96
MARGIN: Final = 8
BAR_TOP: Final = 34
BAR_HEIGHT: Final = 18
MIN_SPAN_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Life:
    """One set of credentials.

    Args:
        begin: Unix seconds when it was fetched.
        end: when it was replaced or ends.
        expiration: when it ends.
    """

    begin: float
    end: float
    expiration: float


def lives_of(events: Iterable[Event]) -> list[Life]:
    """The credentials that were held, one after the other; those without a known end are left out."""
    fetched = [event for event in events if isinstance(event, Fetched) and event.expiration is not None]
    lives = []
    for event, following in zip_longest(fetched, fetched[1:]):
        assert event.expiration is not None  # noqa: S101  # filtered above
        expiration = event.expiration.timestamp()
        lives.append(Life(event.at, expiration if following is None else following.at, expiration))
    return lives


def draw_timeline(
    events: Sequence[Event], *, now: float, next_attempt: float | None, windows: tuple[float, float]
) -> str:
    """An SVG element without script and without anything from elsewhere.

    Args:
        events: of one provider, oldest first.
        now: Unix seconds.
        next_attempt: when the next fetch is due, where one is.
        windows: when the advisory and the mandatory window of the credentials held begin, in seconds before their end.
    """
    lives = lives_of(events)
    failures = [event.at for event in events if isinstance(event, FetchFailed)]
    begin = min([life.begin for life in lives[-3:]] + failures[-20:] + [now - MIN_SPAN_SECONDS])
    end = max([life.expiration for life in lives[-1:]] + [now + MIN_SPAN_SECONDS])
    x = _Scale(begin, end)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Life of the credentials over time">',
        f'<line class="axis" x1="{MARGIN}" y1="70" x2="{WIDTH - MARGIN}" y2="70"/>',
        *_bars(lives, windows, x),
        *(f'<circle class="failed" cx="{x(at)}" cy="62" r="3"/>' for at in failures if at >= begin),
        *([] if next_attempt is None else [f'<path class="next" d="M {x(next_attempt)} 58 l 4 8 l -8 0 z"/>']),
        f'<line class="now" x1="{x(now)}" y1="22" x2="{x(now)}" y2="70"/>',
        _label(x(now), 16, "now", "middle"),
        _label(MARGIN, 88, _ago(now - begin), "start"),
        _label(WIDTH - MARGIN, 88, _ahead(end - now), "end"),
        "</svg>",
    ]
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where a moment is on the picture; moments outside of it are at its edges."""

    begin: float
    end: float

    def __call__(self, moment: float) -> float:
        part = (min(max(moment, self.begin), self.end) - self.begin) / (self.end - self.begin)
        return round(MARGIN + part * (WIDTH - 2 * MARGIN), 1)


def _bars(lives: Sequence[Life], windows: tuple[float, float], x: _Scale) -> list[str]:
    bars = [_bar("held", x(life.begin), x(life.end)) for life in lives if life.end >= x.begin]
    for life in lives[-1:]:
        for kind, window in zip(("advisory", "mandatory"), windows, strict=True):
            bars.append(_bar(kind, x(max(life.begin, life.expiration - window)), x(life.expiration)))
    return bars


def _bar(kind: str, left: float, right: float) -> str:
    width = max(1.0, round(right - left, 1))
    return f'<rect class="{kind}" x="{left}" y="{BAR_TOP}" width="{width}" height="{BAR_HEIGHT}"/>'


def _label(left: float, top: int, text: str, anchor: str) -> str:
    return f'<text x="{left}" y="{top}" text-anchor="{anchor}">{escape(text)}</text>'


def _ago(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h ago" if seconds >= 3600 else f"{seconds / 60:.0f} min ago"


def _ahead(seconds: float) -> str:
    return f"in {seconds / 3600:.1f} h" if seconds >= 3600 else f"in {seconds / 60:.0f} min"
