"""Downloaded files go after `[codes] download_keep_days` (security.md §9): at a node's start, and then once a day.

Not while the trail tells of a hold on them (`security retention hold downloads|temporary`).
"""

from collections.abc import Callable
from pathlib import Path

import attrs

from adapters.files.spool import sweep
from gateway.app.config import Config
from gateway.app.holds import is_held, past_ms
from gateway.core.approval import TrailFailed
from gateway.core.ports import Clock

DAY_S = 86_400.0


@attrs.define(eq=False)
class Sweeping:
    """One node's. folder: of the downloads; report: hears why nothing may go."""

    config: Config
    clock: Clock
    folder: Path
    report: Callable[[Exception], object]
    _last_s: float = -DAY_S

    def due(self) -> bool:
        """Say whether a day has passed since the last time."""
        return not 0 <= self.clock.seconds() - self._last_s < DAY_S

    def sweep(self) -> None:
        """Remove what is past its time. Takes a while: not on the reactor's thread. Raises OSError."""
        self._last_s = now = self.clock.seconds()
        try:
            if not is_held(self.config, "downloads", "temporary"):
                sweep(self.folder, past_ms(self.config, "downloads", now) / 1000)
        except TrailFailed as cause:  # nobody knows whether there is a hold: they stay until tomorrow
            self.report(cause)
