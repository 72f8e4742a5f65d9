"""Own the exit codes with which a worker process ends itself."""

from __future__ import annotations

from typing import Final

__all__ = ["EXIT_BROKEN", "EXIT_MEMORY"]

EXIT_BROKEN: Final = 70
"""It has a defect, or nobody whom it could serve."""
EXIT_MEMORY: Final = 79
"""Its call held more memory than it said it needs."""
