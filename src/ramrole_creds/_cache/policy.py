"""When to fetch: the windows of a credential's life and the delays between attempts, as pure arithmetic.

Windows are proportions of the life that was left when the credential was fetched, with a ceiling. The metadata
service issues the next credential 30 minutes before the old one ends and repeats the old one before that: earlier is
useless and later wastes the overlap. A fixed window would refetch 15-minute sessions at every call.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from ramrole_creds._checks import checked_duration
from ramrole_creds.errors import ConfigurationError

ADVISORY_FRACTION = 0.25
MANDATORY_FRACTION = 0.08
MIN_DELAY_CEILING_SECONDS = 15.0
LONG_OUTAGE_FAILURES = 8
LONG_OUTAGE_CEILING_SECONDS = 30.0
LONG_OUTAGE_LEFT_SECONDS = 1500.0
MAX_SECONDS = 100 * 365 * 86400.0
MAX_FETCH_TIMEOUT_SECONDS = 86400.0


@dataclass(frozen=True, slots=True)
class RefreshPolicy:
    """When a cache fetches, how long callers wait, and how long it waits after failures.

    All values but `jitter` are seconds.

    Args:
        advisory_window: ceiling of the window before expiry in which the background refresher fetches; the window
            is this or a quarter of the life, whichever is shorter.
        mandatory_window: ceiling of the window in which callers wait briefly for the fetch in flight; this or 8 % of
            the life.
        jitter: the fraction by which the advisory window is widened at most, so that many processes do not ask at once.
        retry_initial: shortest delay after a failure.
        retry_max: longest delay while much life is left.
        mandatory_wait: how long a reader in the mandatory window waits for a fetch in flight.
        fetch_timeout: time limit of one fetch, at most one day; a fetch that takes longer is abandoned.

    Raises:
        ConfigurationError: a value is negative, not finite, or contradicts another.
    """

    advisory_window: float = 1500.0
    mandatory_window: float = 300.0
    jitter: float = 0.1
    retry_initial: float = 1.0
    retry_max: float = 300.0
    mandatory_wait: float = 0.25
    fetch_timeout: float = 10.0

    def __post_init__(self) -> None:
        for field in fields(self):
            unit = "" if field.name == "jitter" else " of seconds"
            maximum = MAX_FETCH_TIMEOUT_SECONDS if field.name == "fetch_timeout" else MAX_SECONDS
            checked_duration(field.name, getattr(self, field.name), maximum=maximum, unit=unit)
        if self.mandatory_window > self.advisory_window:
            raise ConfigurationError(
                f"mandatory_window ({self.mandatory_window:g} s) is longer than advisory_window "
                f"({self.advisory_window:g} s): the advisory window must open first. Lower mandatory_window too."
            )
        if self.jitter > 1:
            raise ConfigurationError(f"jitter must be a fraction of the advisory window, 0 to 1, not {self.jitter:g}.")
        if self.retry_initial <= 0:
            raise ConfigurationError(
                "retry_initial must be above 0; otherwise a failing source would be asked in a loop."
            )
        if self.retry_max < self.retry_initial:
            raise ConfigurationError(
                f"retry_max ({self.retry_max:g} s) is shorter than retry_initial ({self.retry_initial:g} s). Swap "
                "them, or raise retry_max."
            )
        if self.fetch_timeout <= 0:
            raise ConfigurationError("fetch_timeout must be above 0: no fetch could ever succeed.")

    def advisory_left(self, life: float, random_fraction: float) -> float:
        """Seconds before expiry at which the advisory window opens; `random_fraction` (0 to 1) widens it."""
        return min(self.advisory_window, ADVISORY_FRACTION * life) * (1 + self.jitter * random_fraction)

    def mandatory_left(self, life: float) -> float:
        """Seconds before expiry at which the mandatory window opens."""
        return min(self.mandatory_window, MANDATORY_FRACTION * life)

    def delay_ceiling(self, left: float, failures: int = 0) -> float:
        """Longest delay with `left` seconds of life: long while much is left, short near the end.

        In a long outage it is the same for all whose credentials end within half an hour: where those near their end
        asked more often, they would all return in the first seconds after it.
        """
        if failures >= LONG_OUTAGE_FAILURES:
            longest = max(LONG_OUTAGE_CEILING_SECONDS, (left - LONG_OUTAGE_LEFT_SECONDS) / 10)
        else:
            longest = max(MIN_DELAY_CEILING_SECONDS, left / 10)
        return min(self.retry_max, longest)

    def delay_after_failure(self, failures: int, left: float, random_fraction: float) -> float:
        """Seconds to the next attempt after this many failures in a row, with `left` seconds of life.

        In a long outage it is at least half of the longest delay: of processes that wait between nothing and the
        longest, too many return in the first moments after the outage.
        """
        # 2^60 s is beyond any ceiling; a larger exponent would only overflow.
        longest = min(self.retry_initial * 2.0 ** min(failures, 60), self.delay_ceiling(left, failures))
        least = longest / 2 if failures >= LONG_OUTAGE_FAILURES else 0.0
        return max(self.retry_initial, least + random_fraction * (longest - least))

    def delay_after_unchanged(self, left: float, random_fraction: float) -> float:
        """Seconds to the next attempt after the source returned the same credentials inside the advisory window."""
        return max(self.retry_initial, (0.5 + random_fraction / 2) * min(self.retry_max, left / 10))
