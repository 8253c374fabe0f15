"""What a notebook shows: cards with names escaped, figures in the page's colours, frames, errors."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics.backtesting.lookahead_report import LookaheadReport
from mismartera_analytics.backtesting.samples import MovingAverageCross
from mismartera_analytics.figures.accounts import pnl_by_symbol
from mismartera_analytics.notebook import display
from mismartera_analytics.notebook.tables import frame_html

EVIL = "<script>window.hit = 1</script>"
VOID = {"br", "hr", "img", "input", "meta", "link"}


class Balance(HTMLParser):
    """Counts elements that are opened and not closed."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def html_of(shell, value):
    data, _ = shell.display_formatter.format(value)
    text = data.get("text/html")
    if text is not None:
        balance = Balance()
        balance.feed(text)
        assert balance.open == []
    assert "text/plain" in data
    return text


@pytest.fixture
def run(demo_data):
    return MovingAverageCross(fast=20, slow=100), ["AAPL", "IBM"], "2008-01-02", "2012-12-31"


def test_results_tell_their_numbers(shell, run):
    result = ma.backtest(*run)
    text = html_of(shell, result)
    for name in ("total_return", "sharpe_ratio", "max_drawdown"):
        value = result.metrics.loc[name, "value"]
        shown = f"{abs(value):.2f}" if name == "sharpe_ratio" else f"{abs(100 * value):,.2f}%"
        assert shown in text
    assert "probabilistic" in text
    found = ma.sweep(MovingAverageCross, {"fast": [10, 20], "slow": [50, 100]}, *run[1:])
    assert "Combinations" in html_of(shell, found)
    walked = ma.walk_forward(MovingAverageCross, {"fast": [10, 20], "slow": [50]}, *run[1:], train=500,
                             test=250)  # fmt: skip
    assert "out of sample" in html_of(shell, walked)


def test_calendars_sessions_explanations_and_audits(shell, demo_data):
    nyse = ma.trading_calendar("NYSE")
    assert "America/New_York" in html_of(shell, nyse)
    told = html_of(shell, nyse.session("2025-11-28"))
    assert "Friday 2025-11-28" in told
    assert "Closes early, Day after Thanksgiving" in told
    assert "11-28 18:00" in told  # 13:00 in New York
    cell = ma.explain("pnl", account=1, session="2012-12-31", column="total")
    assert cell.title in html_of(shell, cell)
    audit = ma.audit_bars("AAPL", "1d")
    assert "1 symbol" in html_of(shell, audit)


def test_a_check_for_look_ahead(shell, demo_data):
    peeking = ma.check_lookahead(
        symbols="IBM", start="2011-01-04", end="2011-12-30", progress=False,
        entries=lambda bars: bars.set_index("session")["close"].diff().shift(-1) > 0,
    )  # fmt: skip
    text = html_of(shell, peeking)
    assert "Looks ahead" in text
    assert "ma-warning" in text


def test_names_are_escaped(shell, demo_data):
    nasty = pd.DataFrame({EVIL: [EVIL]})
    assert "<script" not in html_of(shell, nasty)
    told = ma.explain("pnl", account=1, session="2012-12-31", column="total")
    assert "<script" not in html_of(shell, replace(told, notes=(EVIL,), column=EVIL))
    report = LookaheadReport("clean", EVIL, pd.DataFrame(), pd.DataFrame(columns=["kind", "values"]),
                             (EVIL,), (), 0, 0.0, 0)  # fmt: skip
    assert "<script" not in html_of(shell, report)


def test_figures_take_the_pages_colours(shell):
    drawn = pnl_by_symbol(pd.Series({"AAPL": 3.0, "IBM": -1.0}))
    text = html_of(shell, drawn)
    assert "<svg" in text
    assert "var(--fig-gain" in text
    assert "ma-auto" in text
    assert html_of(shell, drawn).replace("n2-", "n1-")  # shown again, it is drawn again
    shell.run_line_magic("ma_theme", "dark")
    assert "ma-out ma-dark" in html_of(shell, drawn)
    dark = pnl_by_symbol(pd.Series({"AAPL": 3.0}), theme="dark")
    assert html_of(shell, dark) is None
    assert "image/png" in shell.display_formatter.format(dark)[0]


def test_showing_a_figure_leaves_it_as_it_was(shell):
    drawn = pnl_by_symbol(pd.Series({"AAPL": 3.0, "IBM": -1.0}))
    axis = drawn.axes[0].xaxis
    before = axis.get_major_locator(), axis.get_major_formatter(), drawn.get_layout_engine()
    html_of(shell, drawn)
    assert (
        axis.get_major_locator(),
        axis.get_major_formatter(),
        drawn.get_layout_engine(),
    ) == before


def test_a_written_report_is_shown_and_other_files_are_not(shell, demo_data, tmp_path):
    sheet = ma.tear_sheet("demo", tmp_path / "sheet.html")
    text = html_of(shell, sheet)
    assert "<iframe" in text
    assert 'sandbox="allow-scripts' in text
    assert "allow-same-origin" not in text
    other = tmp_path / "other.html"
    other.write_text("<p>hello</p>")
    assert html_of(shell, other) is None
    assert html_of(shell, tmp_path) is None


def test_frames_are_easy_to_read(shell):
    frame = pd.DataFrame(
        {
            "price": [1234.5, 7.25, np.nan],
            "ratio": [0.12345, -1.5, 0.0000012],
            "quantity": [1000.0, 2.0, 3.0],
            "order_id": [1001, 1002, 1003],
            "volume": [1_000_000, 2, 3],
            "at": pd.to_datetime(["2025-07-02T13:30Z", None, "2025-07-02T14:00Z"]),
        }
    )
    text = html_of(shell, frame)
    cells = re.findall(r"<td>(.*?)</td>", text)
    assert cells[:6] == [
        "1,234.50",
        "0.1235",
        "1,000",
        "1001",
        "1,000,000",
        "2025-07-02 13:30+00:00",
    ]
    assert cells[6:9] == ["7.25", "-1.5000", "2"]
    assert cells[11] == "NaT"
    assert cells[12:14] == ["NaN", "1.2e-06"]
    shell.run_line_magic("ma_frames", "plain")
    assert html_of(shell, frame) == frame._repr_html_()


def test_frames_heed_pandas_options():
    frame = pd.DataFrame({"x": np.arange(200.0) / 7})
    with pd.option_context("display.max_rows", 20, "display.min_rows", 4):
        assert frame_html(frame).count("<tr>") == 5
        assert "200 rows" in frame_html(frame)
    with pd.option_context("display.float_format", "{:.1f}".format):
        assert "<td>28.4</td>" in frame_html(frame)
    with pd.option_context("display.notebook_repr_html", False):
        assert frame_html(frame) is None


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(),
        pd.DataFrame({"a": []}),
        pd.DataFrame([[1.5, 2.5]], columns=["a", "a"]),
        pd.DataFrame({("a", "b"): [1.5]}),
        pd.DataFrame({"a": [1.5]}, index=pd.MultiIndex.from_tuples([("x", "y")])),
        pd.DataFrame({"a": [np.inf, -np.inf, np.nan]}),
        pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": [True, False]}),
        pd.DataFrame(np.ones((3, 60)) / 3),
        pd.DataFrame({"a": pd.Series([1.5, 2.0], dtype="float32"), "b": [1 + 2j, 0]}),
    ],
)
def test_any_frame_can_be_shown(shell, frame):
    assert html_of(shell, frame)


def test_everything_listed_exists():
    from importlib import import_module

    for name, function in display.SHOWN.items():
        module, _, kind = name.rpartition(".")
        assert getattr(import_module(module), kind).__name__ == kind
        home, _, called = function.partition(".")
        assert callable(getattr(import_module(f"mismartera_analytics.notebook.{home}"), called))


def test_unloading_leaves_nothing(shell):
    shell.run_line_magic("unload_ext", "mismartera_analytics.notebook")
    assert html_of(shell, ma.trading_calendar) is None
    assert shell.Completer.custom_matchers == []
    shell.run_line_magic("load_ext", "mismartera_analytics.notebook")
    assert len(shell.Completer.custom_matchers) == 1


def test_errors_are_one_sentence_with_the_line_of_the_cell(shell, demo_data, capsys):
    shell.run_cell("x = 1\nma.positions(account=99)")
    said = capsys.readouterr().out
    assert "UnknownNameError: account=99 is not known" in said
    assert "line 2 of the cell: ma.positions(account=99)" in said
    assert "Traceback" not in said
    shell.run_line_magic("tb", "")
    assert "Traceback" in capsys.readouterr().out
    shell.run_line_magic("ma_errors", "full")
    shell.run_cell("ma.positions(account=99)")
    assert "Traceback" in capsys.readouterr().out
    shell.run_line_magic("ma_errors", "short")
    shell.run_cell("1 / 0")
    assert "Traceback" in capsys.readouterr().out
