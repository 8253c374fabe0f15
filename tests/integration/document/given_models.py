"""Names that the blocks take for granted: the mappings and how to open a database session."""

from mismartera_analytics.models import *
from mismartera_analytics.models.database import SessionLocal, session_scope
