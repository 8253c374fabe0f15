"""What exchange_calendars does not say about a market: its group, its exchanges, its extended hours."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Market:
    """One calendar: the exchange group it becomes and the names that lead to it."""

    group: str
    asset_class: str = "EQUITY"
    exchanges: str = ""
    country: str = ""
    """Where days without a name are looked up among public holidays (ISO code)."""
    pre_market_open: dt.time | None = None
    post_market_close: dt.time | None = None
    aliases: dict[str, str] = field(default_factory=dict)
    """Further names, each with the exchange that it means (empty: the whole group)."""
    names_weekdays: bool = False
    """Whether a shorter day without a name is named after its weekday."""
    closures: dict[dt.date, str] = field(default_factory=dict)
    """Names of days that the source leaves without one."""


NAMES = {
    "New Years Day": "New Year's Day",
    "New Years Holiday": "New Year's Day",
    "President's Day": "Washington's Birthday",
    "July 4th": "Independence Day",
    "Dr. Martin Luther King Jr. Day": "Martin Luther King Jr. Day",
    "Juneteenth National Independence Day": "Juneteenth",
    "Thanksgiving": "Thanksgiving Day",
    "Black Friday": "Day after Thanksgiving",
    "Christmas": "Christmas Day",
    "Wednesdays Before Independence Day including and after 2013": "Independence Day (eve)",
    "Mondays, Tuesdays, and Thursdays Before Independence Day": "Independence Day (eve)",
    "Fridays after Independence Day prior to 2013": "Day after Independence Day",
}
"""Names as we write them, by exchange_calendars' name of the rule."""

_WAR = (
    "70th Anniversary of the Victory of the Chinese People's War of Resistance against Japanese "
    "Aggression and the World Anti-Fascist War"
)
_ASSEMBLY = (
    "Bicentenary of the inaugural session of the National Constituent Assembly of the year 1813"
)
LONG_NAMES = {
    _WAR: "70th anniversary of the end of the war",
    _ASSEMBLY: "Bicentenary of the Assembly of 1813",
}

TYPOS = {
    "Celabration": "Celebration",
    "Heakth": "Health",
    "Preceeding": "Preceding",
    "Attaturk": "Atatürk",
    "Kings's": "King's",
    "New Year's Holiday (Dec 31)": "New Year's Eve",
    "All Saint's": "All Saints'",
    "All Saints Day": "All Saints' Day",
}

LONGEST_NAME = 80


def clean(name: str) -> str:
    """Return a name as we write it: without the years in which a rule held."""
    name = NAMES.get(name, name)
    name = re.sub(r" \((?:\d{4}|through|up to|estimated|observed, estimated).*?\)", "", name)
    name = re.sub(r" extra (?:Friday|Monday)$| half day$", "", name)
    for wrong, right in TYPOS.items():
        name = name.replace(wrong, right)
    if len(name) > LONGEST_NAME:
        name = LONG_NAMES.get(name, name[: LONGEST_NAME - 1] + "\N{HORIZONTAL ELLIPSIS}")
    return name


US_DAYS = {
    dt.date(1994, 4, 27): "Funeral of President Nixon",
    dt.date(2001, 9, 11): "Attacks of 11 September",
    dt.date(2001, 9, 12): "Attacks of 11 September",
    dt.date(2001, 9, 13): "Attacks of 11 September",
    dt.date(2001, 9, 14): "Attacks of 11 September",
    dt.date(2004, 6, 11): "Mourning for President Reagan",
    dt.date(2007, 1, 2): "Mourning for President Ford",
    dt.date(2012, 10, 29): "Hurricane Sandy",
    dt.date(2012, 10, 30): "Hurricane Sandy",
    dt.date(2018, 12, 5): "Mourning for President George H. W. Bush",
    dt.date(2025, 1, 9): "Mourning for President Carter",
    dt.date(1997, 12, 26): "Day after Christmas",
    dt.date(1999, 12, 31): "New Year's Eve",
    dt.date(2003, 12, 26): "Day after Christmas",
}

MARKETS = {
    "XNYS": Market(
        "US_EQUITY",
        country="US",
        exchanges="NYSE,NASDAQ,AMEX,ARCA",
        pre_market_open=dt.time(4),
        post_market_close=dt.time(20),
        aliases={
            "XNYS": "NYSE", "XNAS": "NASDAQ", "XASE": "AMEX", "ARCX": "ARCA",
            "BATS": "", "OOTC": "",
        },
        closures=US_DAYS,
    ),
    "24/5": Market("24/5", "FOREX"),
    "24/7": Market("24/7", "CRYPTO"),
    "us_futures": Market("us_futures", "FUTURES"),
    "CMES": Market("CMES", "FUTURES", "CME,CBOT,NYMEX,COMEX", country="US", aliases={
        "XCME": "CME", "XCBT": "CBOT", "XNYM": "NYMEX", "XCEC": "COMEX",
    }),
    "IEPA": Market("IEPA", "FUTURES", "ICEUS,NYFE", country="US", aliases={"ICE": "", "IFUS": "ICEUS"}),
    "XCBF": Market("XCBF", "FUTURES", "CFE", country="US"),
    "XEUR": Market("XEUR", "FUTURES", "EUREX", country="DE"),
    "XEEE": Market("XEEE", "FUTURES", "EEX", country="DE"),
    "AIXK": Market("AIXK", exchanges="AIX", country="KZ"),
    "ASEX": Market("ASEX", exchanges="ATHEX", country="GR", aliases={"XATH": "ATHEX"}),
    "BVMF": Market("BVMF", exchanges="B3,BMF", country="BR", aliases={"BOVESPA": "B3"}),
    "XAMS": Market("XAMS", exchanges="EURONEXT_AMSTERDAM", country="NL"),
    "XASX": Market("XASX", exchanges="ASX", country="AU"),
    "XBDA": Market("XBDA", exchanges="BSX", country="BM"),
    "XBEL": Market("XBEL", exchanges="BELEX", country="RS"),
    "XBKK": Market("XBKK", exchanges="SET", country="TH"),
    "XBOG": Market("XBOG", exchanges="BVC", country="CO"),
    "XBOM": Market("XBOM", exchanges="BSE,NSE", country="IN", aliases={"XNSE": "NSE"}),
    "XBRA": Market("XBRA", exchanges="BSSE", country="SK"),
    "XBRU": Market("XBRU", exchanges="EURONEXT_BRUSSELS", country="BE"),
    "XBSE": Market("XBSE", exchanges="BVB", country="RO"),
    "XBUD": Market("XBUD", exchanges="BUDAPEST", country="HU"),
    "XBUE": Market("XBUE", exchanges="BYMA", country="AR"),
    "XCSE": Market("XCSE", exchanges="NASDAQ_COPENHAGEN", country="DK"),
    "XCYS": Market("XCYS", exchanges="CSE", country="CY"),
    "XDUB": Market("XDUB", exchanges="EURONEXT_DUBLIN", country="IE"),
    "XDUS": Market("XDUS", exchanges="DUSSELDORF", country="DE"),
    "XETR": Market("XETR", exchanges="XETRA", country="DE"),
    "XFRA": Market("XFRA", exchanges="FWB", country="DE"),
    "XHAM": Market("XHAM", exchanges="HAMBURG", country="DE"),
    "XHEL": Market("XHEL", exchanges="NASDAQ_HELSINKI", country="FI"),
    "XHKG": Market("XHKG", exchanges="HKEX", country="HK"),
    "XICE": Market("XICE", exchanges="NASDAQ_ICELAND", country="IS"),
    "XIDX": Market("XIDX", exchanges="IDX,JKT", country="ID"),
    "XIST": Market("XIST", exchanges="BIST", country="TR"),
    "XJSE": Market("XJSE", exchanges="JSE", country="ZA"),
    "XKAR": Market("XKAR", exchanges="PSX", country="PK"),
    "XKLS": Market("XKLS", exchanges="KLSE", country="MY"),
    "XKRX": Market("XKRX", exchanges="KRX,KOSDAQ", country="KR", aliases={"XKOS": "KOSDAQ"}),
    "XLIM": Market("XLIM", exchanges="BVL", country="PE"),
    "XLIS": Market("XLIS", exchanges="EURONEXT_LISBON", country="PT"),
    "XLIT": Market("XLIT", exchanges="NASDAQ_VILNIUS", country="LT"),
    "XLJU": Market("XLJU", exchanges="LJSE", country="SI"),
    "XLON": Market("XLON", exchanges="LSE", country="GB"),
    "XLUX": Market("XLUX", exchanges="LUXSE", country="LU"),
    "XMAD": Market("XMAD", exchanges="BME", country="ES"),
    "XMEX": Market("XMEX", exchanges="BMV", country="MX"),
    "XMIL": Market("XMIL", exchanges="EURONEXT_MILAN", country="IT"),
    "XMOS": Market("XMOS", exchanges="MOEX", country="RU", aliases={"MISX": "MOEX"}),
    "XNZE": Market("XNZE", exchanges="NZX", country="NZ"),
    "XOSL": Market("XOSL", exchanges="OSE", country="NO"),
    "XPAR": Market("XPAR", exchanges="EURONEXT_PARIS", country="FR"),
    "XPHS": Market("XPHS", exchanges="PSE", country="PH"),
    "XPRA": Market("XPRA", exchanges="PRAGUE", country="CZ"),
    "XRIS": Market("XRIS", exchanges="NASDAQ_RIGA", country="LV"),
    "XSAU": Market("XSAU", exchanges="TADAWUL", country="SA"),
    "XSES": Market("XSES", exchanges="SGX", country="SG"),
    "XSGO": Market("XSGO", exchanges="SANTIAGO", country="CL"),
    "XSHG": Market("XSHG", exchanges="SSE,SZSE", country="CN", aliases={"XSHE": "SZSE"}),
    "XSTO": Market("XSTO", exchanges="NASDAQ_STOCKHOLM", country="SE"),
    "XSTU": Market("XSTU", exchanges="STUTTGART", country="DE"),
    "XSWX": Market("XSWX", exchanges="SIX", country="CH"),
    "XTAE": Market("XTAE", exchanges="TASE", country="IL", names_weekdays=True),
    "XTAI": Market("XTAI", exchanges="TWSE", country="TW"),
    "XTAL": Market("XTAL", exchanges="NASDAQ_TALLINN", country="EE"),
    "XTKS": Market("XTKS", exchanges="TSE,JPX", country="JP"),
    "XTSE": Market("XTSE", exchanges="TSX", country="CA", aliases={"XTSX": ""}),
    "XWAR": Market("XWAR", exchanges="GPW", country="PL"),
    "XWBO": Market("XWBO", exchanges="WIENER_BOERSE", country="AT"),
    "XZAG": Market("XZAG", exchanges="ZSE", country="HR"),
}  # fmt: skip
