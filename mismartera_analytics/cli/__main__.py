"""``python -m mismartera_analytics.cli`` is the same as ``mismartera``."""

from mismartera_analytics.cli import main

main()
