"""Views of a run: a live graph and a progress line in the notebook, a progress bar in a terminal.

A view reads the journal, never the flow, so it cannot hurt a run: `feed` reads it in one thread for all,
`model` and `scene` decide what is to be seen, `graph`, `progress_view` and `terminal` show it.
"""

from nbflow.live import views
from nbflow.live.document import report
from nbflow.live.entry import progress, watch

__all__ = ["progress", "report", "views", "watch"]
