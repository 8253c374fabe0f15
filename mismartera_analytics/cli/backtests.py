"""``mismartera backtest run | list | show | rerun`` and ``mismartera trials``."""

from __future__ import annotations

from typing import Annotated

import typer

from mismartera_analytics.cli.output import AsCsv, AsJson, AsParquet, Most, form_of, say, show

__all__ = ["app", "register"]

app = typer.Typer(help="Backtests: run, list, show, run again.", no_args_is_help=True)

User = Annotated[str | None, typer.Option("--user", help="Only this user's rows.")]
Zone = Annotated[str | None, typer.Option("--tz", help="Show times in this zone, else in UTC.")]
Replace = Annotated[bool, typer.Option("--replace", help="Let a saved run of that name give way.")]
Run = Annotated[str, typer.Argument(help="The run's name, or its id.")]


def register(root: typer.Typer) -> None:
    """Add the commands to the application."""
    root.add_typer(app, name="backtest")
    root.command()(trials)


@app.command()
def run(
    name: Annotated[str, typer.Argument(help="A stored session configuration.")],
    strategy: Annotated[
        str | None, typer.Option(help="Module of the strategy, where several are enabled.")
    ] = None,
    cash: Annotated[
        float | None, typer.Option(help="To begin with; by default max_buying_power.")
    ] = None,
    save: Annotated[str | None, typer.Option(help="Save the run under this name.")] = None,
    owner: Annotated[str | None, typer.Option(help="User who owns the saved run.")] = None,
    replace: Replace = False,  # noqa: FBT002
    csv: AsCsv = False,  # noqa: FBT002
    json: AsJson = False,  # noqa: FBT002
    parquet: AsParquet = False,  # noqa: FBT002
    most: Most = 40,
) -> None:
    """Run the backtest that a session configuration describes, within its limits."""
    from mismartera_analytics.backtesting.saving import check_unused
    from mismartera_analytics.backtesting.session_runs import run_session_config
    from mismartera_analytics.frames import METRICS

    form = form_of(csv=csv, json=json, parquet=parquet)
    if save is not None and not replace:
        check_unused(save, user=owner)
    result = run_session_config(name, strategy=strategy, cash=cash)
    if save is not None:
        result.save(save, user=owner, replace=replace)
    show(result.metrics.reset_index(), METRICS, title=repr(result), form=form, most=most)


@app.command("list")
def list_runs(
    user: User = None,
    tz: Zone = None,
    csv: AsCsv = False,  # noqa: FBT002
    json: AsJson = False,  # noqa: FBT002
    parquet: AsParquet = False,  # noqa: FBT002
    most: Most = 40,
) -> None:
    """Saved backtests."""
    from mismartera_analytics.backtesting.saved_runs import saved_runs
    from mismartera_analytics.frames import RUNS

    columns = [
        "run_id", "user", "name", "account_id", "strategy", "parameters", "symbols", "interval",
        "start", "end", "total_return", "sharpe", "max_drawdown",
    ]  # fmt: skip
    show(
        saved_runs(user=user, tz=tz),
        RUNS,
        title="Saved backtests",
        form=form_of(csv=csv, json=json, parquet=parquet),
        most=most,
        columns=columns,
    )


@app.command("show")
def show_run(
    run: Run,
    user: User = None,
    csv: AsCsv = False,  # noqa: FBT002
    json: AsJson = False,  # noqa: FBT002
    parquet: AsParquet = False,  # noqa: FBT002
    most: Most = 80,
) -> None:
    """What went into a saved backtest, and its metrics."""
    from mismartera_analytics.backtesting.saved_runs import run_details

    show(
        run_details(_run(run), user=user),
        title=f"Backtest {run}",
        form=form_of(csv=csv, json=json, parquet=parquet),
        most=most,
    )


@app.command()
def rerun(run: Run, user: User = None) -> None:
    """Run a saved backtest again; exit with 1 unless the result is the same to the last bit."""
    from mismartera_analytics.backtesting.rerunning import rerun as run_again

    say(f"{run_again(_run(run), user=user)!r}: the same to the last bit.")


def trials(
    family: Annotated[str | None, typer.Argument(help="Only this strategy family.")] = None,
    user: User = None,
    tz: Zone = None,
    csv: AsCsv = False,  # noqa: FBT002
    json: AsJson = False,  # noqa: FBT002
    parquet: AsParquet = False,  # noqa: FBT002
    most: Most = 40,
) -> None:
    """Every different run of a strategy family."""
    import mismartera_analytics as ma
    from mismartera_analytics.frames import TRIALS

    columns = [
        "trial_id", "user", "family", "recorded_at", "parameters", "sessions", "sharpe",
        "total_return", "max_drawdown", "run",
    ]  # fmt: skip
    frame = ma.trials(family, user=user, tz=tz)
    show(
        frame,
        TRIALS,
        title=f"Trials: {len(frame)}",
        form=form_of(csv=csv, json=json, parquet=parquet),
        most=most,
        columns=columns,
    )


def _run(text: str) -> int | str:
    return int(text) if text.isdecimal() else text
