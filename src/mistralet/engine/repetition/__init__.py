"""The repetition watchdog: finds generations that repeat without end while they happen."""

from mistralet.engine.repetition.finding import Finding
from mistralet.engine.repetition.params import RepetitionParams, RepetitionPolicy
from mistralet.engine.repetition.units import TokenParts
from mistralet.engine.repetition.watchdog import RepetitionWatchdog, Verdict

__all__ = ["Finding", "RepetitionParams", "RepetitionPolicy", "RepetitionWatchdog", "TokenParts", "Verdict"]
