"""Several records in one tear sheet: measured where all have a return, named apart, each explained."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mismartera_analytics import performance_summary, tear_sheet
from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.figures.style import text_of
from mismartera_analytics.performance.returns import Returns
from mismartera_analytics.reports.benchmarks import aligned, benchmark_of
from mismartera_analytics.reports.content import (
    Ambiguity,
    Fact,
    Lookahead,
    Notice,
    TearSheetContent,
)
from mismartera_analytics.reports.outline import Section
from mismartera_analytics.reports.tearsheet import outline_of
from mismartera_analytics.reports.views import TableView
from tests.reports import made_up
from tests.reports.test_tearsheet import EVIL, Page


def record(title: str, seed: int, count: int = 700, skip: int = 0) -> TearSheetContent:
    returns = made_up.returns(count, seed=seed).iloc[skip:]
    return TearSheetContent(
        title, kind="backtest", returns=returns, conventions=(Fact("Fills", "next open"),)
    )


def section(outline, title: str) -> Section:
    return next(section for section in outline.sections if section.title == title)


def cells(view: TableView) -> dict[str, list[str]]:
    return {row[0].text: [cell.text for cell in row[1:]] for row in view.rows}


def test_metrics_are_those_of_each_on_the_common_sessions():
    contents = [record("a", 1), record("b", 2, skip=100)]
    shown = cells(section(outline_of(contents), "Metrics").blocks[0])
    for place, content in enumerate(contents):
        own = performance_summary(content.returns.iloc[-600:])
        for name, metric in (("Sharpe ratio", "sharpe_ratio"), ("Max drawdown", "max_drawdown")):
            row = own.loc[metric]
            assert shown[name][place] == text_of(row["value"], row["unit"])
    assert shown["Sessions"] == ["600", "600"]


def test_what_lies_between_common_sessions_counts_on_the_next():
    every = record("every", 1, 10)
    second = record("some", 2, 10)
    second = replace(second, returns=second.returns.iloc[::3])
    table = cells(section(outline_of([every, second]), "Metrics").blocks[0])
    whole = np.prod(1 + every.returns.to_numpy()) - 1
    assert table["Total return"][0] == f"{whole:.2%}".replace("-", "−")


def test_correlation():
    contents = [record("a", 1), record("b", 2), record("c", 1)]
    shown = cells(section(outline_of(contents), "Correlation").blocks[0])
    expected = np.corrcoef(contents[0].returns, contents[1].returns)[0, 1]
    assert shown["1  a"] == ["1.00", f"{expected:.2f}".replace("-", "−"), "1.00"]


def test_equal_names_are_told_apart_by_their_parameters():
    told = [
        replace(record("Cross", seed), conventions=(Fact("Parameters", f"fast {seed}"),))
        for seed in (1, 2)
    ]
    outline = outline_of([*told, record("Cross", 3)])
    assert outline.title == "Cross, fast 1, Cross, fast 2 and Cross"
    assert outline_of([record("x", 1), record("x", 2)]).title == "x and x (2)"


def test_records_without_a_common_session_are_said_to_have_none():
    early, late = record("early", 1, 50), record("late", 1, 700, skip=600)
    text = Page(render(early, late)).text
    assert "no session in common" in text
    cards = outline_of([early, late]).sections[0].blocks[0].cards
    assert [(card.value, card.note) for card in cards] == [("–", "no session in common")] * 2
    assert "nan" not in text.lower().split()


def render(*contents: TearSheetContent, **options) -> str:
    from mismartera_analytics.reports.page import html_of

    return html_of(outline_of(list(contents), **options))


@pytest.mark.parametrize("suffix", ["html", "pdf"])
def test_names_conventions_and_beliefs_are_shown(tmp_path, suffix):
    first = replace(
        record(EVIL, 1),
        notices=(Notice("warning", EVIL),),
        ambiguity=Ambiguity(
            40, 2, pd.DataFrame({"final_equity": [1.0, 2.0], "total_return": [-0.1, 0.2]})
        ),
        lookahead=Lookahead("clean", "nothing changed"),
    )
    path = tear_sheet(
        [first, record("flat", 2), TearSheetContent("empty")], tmp_path / f"x.{suffix}"
    )
    assert path.stat().st_size < 1_000_000
    path = tear_sheet(
        [first, replace(record("flat", 2), returns=made_up.returns() * 0)],
        tmp_path / f"y.{suffix}",
        benchmark=made_up.returns(seed=9),
    )
    if suffix == "html":
        text = Page(path.read_text("utf-8")).text
        for told in ("5.0%", "−10.0% to 20.0%", "Clean", "next open", "🚀"):
            assert told in text
        assert "nan" not in text.lower().split()


def test_one_record_is_no_comparison(tmp_path):
    for given in ([], [TearSheetContent("x")]):
        with pytest.raises(InvalidInputError, match="two or more records"):
            tear_sheet(given, tmp_path / "x.html")
    with pytest.raises(InvalidInputError, match="a list of 2 reports"):
        tear_sheet([TearSheetContent("x")] * 2, tmp_path / "x.html", lookahead=[None])


def test_a_benchmark_with_other_sessions():
    days = pd.date_range("2025-06-02", "2025-06-15")  # every day, weekends too
    other = pd.Series(0.01, index=days, name="crypto")
    record = pd.Series(0.0, index=pd.bdate_range("2025-06-02", "2025-06-13"))
    found = aligned(other, record)
    expected = [0.01] * 5 + [1.01**3 - 1] + [0.01] * 4
    np.testing.assert_allclose(found, expected)
    back = aligned(record, other)
    assert back.isna().sum() == 4
    with pytest.raises(InvalidInputError, match="none of them is a session"):
        aligned(other["2025-06-02":"2025-06-03"], record["2025-06-05":])


def test_a_run_and_returns_are_benchmarks():
    content = record("other run", 4)
    assert benchmark_of(content).name == "other run"
    with pytest.raises(InvalidInputError, match="benchmark is a float"):
        benchmark_of(1.5)
    with pytest.raises(InvalidInputError, match="symbol with daily bars"):
        benchmark_of(" ")


def test_returns_say_what_they_are(ready_database, tmp_path):
    days = pd.bdate_range("2024-01-02", "2024-01-12").as_unit("us")
    values = pd.Series(0.001, index=days, name="net of fees")
    returns = Returns(values, calendar="NYSE", interval="1d", currency="EUR", basis="net")
    text = Page(tear_sheet(returns, tmp_path / "x.html").read_text("utf-8")).text
    for told in ("net of fees", "net of costs", "EUR", "NYSE", "Growth and drawdown"):
        assert told in text
    assert "No order was recorded" not in text
    text = Page(tear_sheet(values, tmp_path / "y.html").read_text("utf-8")).text
    assert "do not say whether they are gross or net" in text
