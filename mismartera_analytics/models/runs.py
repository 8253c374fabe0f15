"""Recorded backtest runs, trials of strategy families, and the reports that were written."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from mismartera_analytics.models.database import Base
from mismartera_analytics.models.types import Instant, PrimaryKey

__all__ = ["BROKER", "BacktestRun", "Report", "ReportRows", "Trial"]

BROKER = "backtest"
"""Broker of the accounts that hold saved backtests."""


class BacktestRun(Base):
    """A saved backtest: what went in, and the account that holds its orders, fills and positions."""

    __tablename__ = "backtest_runs"

    id: Mapped[PrimaryKey]
    name: Mapped[str] = mapped_column(String(100))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account_info.id"), index=True)
    created_at: Mapped[Instant]
    config_json: Mapped[str] = mapped_column(Text)
    data_version_json: Mapped[str | None] = mapped_column(Text)
    code_version: Mapped[str | None] = mapped_column(String(100))
    seed: Mapped[int | None] = mapped_column(Integer)
    metrics_json: Mapped[str | None] = mapped_column(Text)

    def __repr__(self) -> str:
        return f"BacktestRun(id={self.id!r}, name={self.name!r})"


class Trial(Base):
    """One run of a strategy family with its parameters, logged so that the tries can be counted."""

    __tablename__ = "trials"

    id: Mapped[PrimaryKey]
    family: Mapped[str] = mapped_column(String(200), index=True)
    run_id: Mapped[int | None] = mapped_column(ForeignKey("backtest_runs.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    recorded_at: Mapped[Instant]
    parameters_json: Mapped[str] = mapped_column(Text)
    data_version_json: Mapped[str | None] = mapped_column(Text)
    code_hash: Mapped[str | None] = mapped_column(String(64))
    result_json: Mapped[str | None] = mapped_column(Text)
    settings_json: Mapped[str | None] = mapped_column(Text)
    trial_key: Mapped[str | None] = mapped_column(String(64), unique=True, index=True)

    def __repr__(self) -> str:
        return f"Trial(id={self.id!r}, family={self.family!r})"


class Report(Base):
    """A written report and what it cites: bar versions and digests of order rows."""

    __tablename__ = "reports"

    id: Mapped[PrimaryKey]
    title: Mapped[str] = mapped_column(String(200))
    path: Mapped[str] = mapped_column(Text)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account_info.id"), index=True)
    run_id: Mapped[int | None] = mapped_column(ForeignKey("backtest_runs.id"))
    created_at: Mapped[Instant]
    cites_json: Mapped[str | None] = mapped_column(Text)
    file_hash: Mapped[str | None] = mapped_column(String(64), index=True)

    def __repr__(self) -> str:
        return f"Report(id={self.id!r}, title={self.title!r})"


class ReportRows(Base):
    """Rows of the records that reports rest on, as JSON under its own digest: each is kept once."""

    __tablename__ = "report_rows"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    rows_json: Mapped[str] = mapped_column(Text)

    def __repr__(self) -> str:
        return f"ReportRows(digest={self.digest!r})"
