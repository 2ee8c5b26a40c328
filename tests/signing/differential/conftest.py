"""Settings of the comparison with the official signers.

`pytest --hypothesis-profile=full tests/signing/differential` compares 2,000 requests a scheme; the usual run takes
fewer. Where a signer is not installed its comparison is left out, but for a run with DIFFERENTIAL=required.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("full", max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck))
