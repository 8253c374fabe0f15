"""The rule book as a plain loop: slow, clear, and written without looking at the kernel.

Prices are dollars, times integers; nothing here is shared with the engine but the rules' names.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

SLACK = 1e-9
FORCED = 1_000_000  # numbers of orders that nobody placed


@dataclass(frozen=True)
class Bar:
    open: float
    high: float
    low: float
    close: float
    volume: float = 1_000.0


@dataclass(frozen=True)
class Row:
    start: int
    end: int
    session: int
    is_regular: bool = True
    is_last: bool = True
    nights: int = 0  # of a session's first row: since the session before


@dataclass(frozen=True)
class Action:
    row: int
    at: int
    symbol: str
    ratio: float = 1.0
    dividend: float = 0.0
    is_end: bool = False  # a delisting
    brings: float = math.nan  # what a share brings then; its last close if nothing is said


@dataclass
class World:
    rows: list[Row]
    bars: dict[str, dict[int, Bar]]
    actions: list[Action]
    session_of: Callable[[int], int]


@dataclass
class Rules:
    cash: float = 10_000.0
    fill: str = "next_open"
    size_at: str = "fill"
    limit_fill: str = "touch"
    fractional: bool = False
    partial_on_cash: bool = False
    delay: int = 0
    fee_rate: float = 0.0
    fee_per_share: float = 0.0
    fee_per_order: float = 0.0
    fee_minimum: float = 0.0
    fee_maximum: float = math.inf
    slip: float = 0.0
    sell_rate: float = 0.0
    sell_per_share: float = 0.0
    sell_maximum: float = math.inf
    margin: bool = False
    leverage: float = 1.0
    keep_long: float | None = None  # what part of its positions the account must be worth
    keep_short: float = 0.0
    borrow_rate: float = 0.0
    credit_rate: float = 0.0
    debit_rate: float = 0.0
    most_per_trade: float = math.inf
    most_per_symbol: float = math.inf
    most_held: float = math.inf
    most_exposure: float = math.inf
    impact: float = 0.0
    volume_limit: float | None = None
    bracket_from: str = "entry_bar"
    bar_path: str = "pessimistic"

    def fee(self, quantity: float, price: float, side: int = 1) -> float:
        amount = (
            self.fee_rate * quantity * price + self.fee_per_share * quantity + self.fee_per_order
        )
        bounded = min(max(amount, self.fee_minimum), self.fee_maximum)
        if side > 0:
            return bounded
        by_share = min(self.sell_per_share * quantity, self.sell_maximum)
        return bounded + self.sell_rate * quantity * price + by_share

    def cut(self, quantity: float) -> float:
        if self.fractional:
            return quantity
        nearest = round(quantity)
        if abs(quantity - nearest) <= SLACK * max(1.0, abs(quantity)):
            return float(nearest)
        return float(math.trunc(quantity))


@dataclass(frozen=True)
class Bracket:
    """Stop and target at prices, or at fractions of the entry's price; the stop may trail."""

    stop: float = math.nan
    target: float = math.nan
    stop_part: float = math.nan
    target_part: float = math.nan
    trail_part: float = math.nan

    def orders(self, symbol: str) -> list[Order]:
        made = []
        if not (math.isnan(self.stop) and math.isnan(self.stop_part)):
            made.append(Order(symbol, type="STOP", tif="GTC", stop=self.stop))
        if not math.isnan(self.trail_part):
            order = Order(symbol, type="TRAILING_STOP", tif="GTC", trail_percent=self.trail_part)
            made.append(order)
        if not (math.isnan(self.target) and math.isnan(self.target_part)):
            made.append(Order(symbol, type="LIMIT", tif="GTC", limit=self.target))
        return made


@dataclass(eq=False)
class Order:
    symbol: str
    side: int = 0  # 1 buys, -1 sells; of a target the fill tells
    quantity: float = math.nan
    percent: float = math.nan
    target: float = math.nan
    all_cash: bool = False
    type: str = "MARKET"
    tif: str = "DAY"
    limit: float = math.nan
    stop: float = math.nan
    trail: float = math.nan
    trail_percent: float = math.nan
    bracket: Bracket | None = None
    rivals: str = ""  # orders of one name cancel another
    only_if: str = ""
    placed: int = 0
    row: int = -1
    number: int = -1
    session: int = 0
    is_rebalance: bool = False
    is_triggered: bool = False
    status: str = "PENDING"
    filled: float = 0.0
    paid: float = 0.0  # value of what is filled
    fee: float = 0.0
    entry: Order | None = None  # whose stop or target this is
    children: list[Order] = field(default_factory=list)
    raw: float = math.nan  # price of its latest fill before slippage
    is_fixed: bool = False  # sized at the decision
    is_ambiguous: bool = False
    is_forced: bool = False  # by a margin call

    @property
    def left(self) -> float:
        return self.quantity - self.filled


@dataclass(frozen=True)
class Fill:
    number: int
    row: int
    symbol: str
    quantity: float
    price: float
    fee: float
    is_ambiguous: bool = False


@dataclass
class Outcome:
    orders: list[Order] = field(default_factory=list)
    forced: list[Order] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    equity: list[float] = field(default_factory=list)
    cash: list[float] = field(default_factory=list)


class Engine:
    def __init__(self, world: World, rules: Rules, plan: Callable[[int], list[Order]]) -> None:
        self.world, self.rules, self.plan = world, rules, plan
        self.cash = rules.cash
        self.units = dict.fromkeys(world.bars, 0.0)
        self.mark: dict[str, float] = {}
        self.book: list[Order] = []
        self.on_the_way: list[Order] = []
        self.gone: set[str] = set()
        self.traded: dict[tuple[str, int], float] = {}
        self.out = Outcome()

    def run(self) -> Outcome:
        self.decide(-1)
        for number, row in enumerate(self.world.rows):
            self.apply_actions(number)
            self.expire(row.session)
            if row.is_regular:
                self.match(number)
            self.value(number)
            self.call(number)
            self.decide(number)
        last = self.world.rows[-1].end
        self.expire(self.world.session_of(last))
        for order in self.book:  # what had no bar in the last session has none to come
            seen = self.world.rows[max(self.world.bars[order.symbol])].session
            if seen < self.world.session_of(last) - 1:
                self.end(order)
        return self.out

    # What happens before matching

    def charge(self, nights: int) -> None:
        """Pay the fee for borrowed shares, then pay or receive interest on what is one's own."""
        shorts = -sum(u * self.mark[s] for s, u in self.units.items() if u < 0)
        self.cash -= shorts * self.rules.borrow_rate * nights / 360
        balance = self.cash - shorts
        rate = self.rules.credit_rate if balance > 0 else self.rules.debit_rate
        self.cash += balance * rate * nights / 360

    def apply_actions(self, number: int) -> None:
        if self.world.rows[number].nights:
            self.charge(self.world.rows[number].nights)
        for action in self.world.actions:
            if action.row != number:
                continue
            if action.is_end:
                self.delist(action, number)
                continue
            self.units[action.symbol] *= action.ratio
            if action.symbol in self.mark:
                self.mark[action.symbol] /= action.ratio
            self.cash += action.dividend * self.units[action.symbol]
            for order in [*self.book, *self.on_the_way]:
                if order.symbol == action.symbol and order.placed < action.at:
                    waiting = [child for child in order.children if child.status == "NOTHING"]
                    for each in [order, *waiting]:
                        each.quantity = each.filled + each.left * action.ratio
                        each.limit /= action.ratio
                        each.stop /= action.ratio
                        each.trail /= action.ratio

    def delist(self, action: Action, number: int) -> None:
        """End the symbol's orders and turn what is held of it into cash, at no cost."""
        self.expire(self.world.rows[number].session)
        self.gone.add(action.symbol)
        for order in self.book:
            if order.symbol == action.symbol:
                self.end(order, "CANCELLED")
        self.book = [order for order in self.book if order.status == "PENDING"]
        held = self.units[action.symbol]
        if not held:
            return
        price = self.mark[action.symbol] if math.isnan(action.brings) else action.brings
        self.units[action.symbol] = 0.0
        self.cash += held * price
        order = Order(action.symbol, -1 if held > 0 else 1, abs(held), placed=action.at)
        order.number, order.status, order.filled = self.force(order), "FILLED", abs(held)
        self.out.fills.append(Fill(order.number, number, action.symbol, -held, price, 0.0))

    def force(self, order: Order) -> int:
        """Note an order that nobody placed; its number follows all others'."""
        self.out.forced.append(order)
        return FORCED + len(self.out.forced)

    def expire(self, session: int) -> None:
        for order in self.book:
            if order.tif != "GTC" and order.session < session:
                self.end(order)
        self.book = [order for order in self.book if order.status == "PENDING"]

    def end(self, order: Order, status: str = "EXPIRED") -> None:
        is_met = order.target == 0 or order.is_forced
        is_met = is_met and self.units[order.symbol] == 0
        is_met = is_met and order.filled == 0
        order.status = "NOTHING" if is_met else status

    # Matching

    def match(self, number: int) -> None:
        points: dict[int, tuple[str, float]] = {}
        known: set[int] = set()

        def born() -> list[Order]:
            """Return the children that came into the book since the last call."""
            fresh = [order for order in self.book if order.number not in known]
            known.update(order.number for order in fresh)
            return fresh if self.rules.bracket_from == "entry_bar" else []

        def look(orders: list[Order]) -> None:
            for order in orders:
                order.is_ambiguous = False
                bar = self.world.bars[order.symbol].get(number)
                if bar is not None:
                    points[order.number] = self.point(order, bar, number)

        def fill(moment: str) -> None:
            now = [
                (order, points.pop(order.number)[1])
                for order in self.book
                if points.get(order.number, ("",))[0] == moment
            ]
            self.execute(now, number, moment)

        look([*self.book])
        known.update(order.number for order in self.book)
        fill("call")
        fill("open")
        look(born())
        fill("open")
        self.choose(points, number)
        fill("inside")
        points.update(self.after_entries(born(), number))
        fill("inside")
        fill("close")
        self.follow(number)
        self.book = [order for order in self.book if order.status == "PENDING"]

    def point(self, order: Order, bar: Bar, number: int) -> tuple[str, float]:
        """Return the moment and the price at which the bar fills the order; ("", 0) if it does not."""
        if order.tif == "OPG":
            if self.is_first_bar(order.symbol, number) and self.is_good(order, bar.open):
                return "open", bar.open
            order.status = "EXPIRED"
            return "", 0.0
        if order.tif == "CLS":
            is_auction = self.world.rows[number].is_last
            return (
                ("close", bar.close) if is_auction and self.is_good(order, bar.close) else ("", 0.0)
            )
        if order.is_forced:
            return "call", bar.open
        if order.type == "MARKET":
            if self.rules.fill == "next_open":
                return "open", bar.open
            return "close", bar.close
        if order.type == "LIMIT":
            return self.limit_point(order, bar)
        if order.type in ("STOP", "TRAILING_STOP"):
            if order.is_triggered or self.is_through(order, bar.open):
                order.is_triggered = True
                return "open", bar.open
            if self.is_through(order, bar.high if order.side > 0 else bar.low):
                order.is_triggered = True
                return "inside", order.stop
            return "", 0.0
        if order.is_triggered or self.is_through(order, bar.open):
            order.is_triggered = True
            return self.limit_point(order, bar)
        if self.is_through(order, bar.high if order.side > 0 else bar.low):
            order.is_triggered = True
            if self.is_good(order, order.stop):
                return "inside", order.stop
        return "", 0.0

    def limit_point(self, order: Order, bar: Bar) -> tuple[str, float]:
        if self.is_good(order, bar.open):
            return "open", bar.open
        best = bar.low if order.side > 0 else bar.high
        is_passed = best < order.limit if order.side > 0 else best > order.limit
        if is_passed or (best == order.limit and self.rules.limit_fill == "touch"):
            return "inside", order.limit
        return "", 0.0

    def is_good(self, order: Order, price: float) -> bool:
        """Whether the order's limit, if it has one, allows the price."""
        if math.isnan(order.limit):
            return True
        return price <= order.limit if order.side > 0 else price >= order.limit

    def is_through(self, order: Order, price: float) -> bool:
        return price >= order.stop if order.side > 0 else price <= order.stop

    def is_first_bar(self, symbol: str, number: int) -> bool:
        rows = self.world.rows
        return not any(
            rows[k].session == rows[number].session and rows[k].is_regular
            for k in self.world.bars[symbol]
            if k < number
        )

    # The path inside a bar

    def is_up_first(self, bar: Bar) -> bool:
        return bar.high - bar.open < bar.open - bar.low

    def choose(self, points: dict[int, tuple[str, float]], number: int) -> None:
        """Mark what hangs on the path; of orders that cancel another leave the one reached first."""
        inside = [o for o in self.book if points.get(o.number, ("",))[0] == "inside"]
        inside = [o for o in inside if o.status == "PENDING"]

        def bar_of(order: Order) -> Bar:
            return self.world.bars[order.symbol][number]

        def is_up(order: Order) -> bool:
            return points[order.number][1] > bar_of(order).open

        for order in inside:
            same = [other for other in inside if other.symbol == order.symbol]
            order.is_ambiguous = len({is_up(other) for other in same}) == 2
        for order in inside:
            for other in inside:
                later = other.number > order.number and order.rivals == other.rivals != ""
                if not later or not {order.number, other.number} <= points.keys():
                    continue
                if is_up(order) == is_up(other):
                    start = bar_of(order).open
                    away = [abs(points[o.number][1] - start) for o in (order, other)]
                    loser = other if away[0] <= away[1] else order
                elif self.rules.bar_path == "ohlc":
                    loser = other if is_up(order) == self.is_up_first(bar_of(order)) else order
                elif (order.type == "LIMIT") == (other.type == "LIMIT"):
                    loser = other
                else:
                    limit, stop = (order, other) if order.type == "LIMIT" else (other, order)
                    loser = limit if self.rules.bar_path == "pessimistic" else stop
                del points[loser.number]

    def after_entries(self, born: list[Order], number: int) -> dict[int, tuple[str, float]]:
        """Return what the rest of a bar fills of the brackets of entries inside it."""
        found = {}
        for entry in {id(child.entry): child.entry for child in born}.values():
            assert entry is not None
            live = [child for child in entry.children if child.status == "PENDING"]
            stop = next((child for child in live if child.type != "LIMIT"), None)
            target = next((child for child in live if child.type == "LIMIT"), None)
            hit, price = self.after_entry(entry, stop, target, number)
            if hit is not None:
                hit.is_triggered = True
                found[hit.number] = ("inside", price)
        return found

    def after_entry(
        self, entry: Order, stop: Order | None, target: Order | None, number: int
    ) -> tuple[Order | None, float]:
        bar, at = self.world.bars[entry.symbol][number], entry.raw

        def stops(price: float) -> bool:
            return stop is not None and self.is_through(stop, price)

        def gains(price: float) -> bool:
            if target is None:
                return False
            if self.rules.limit_fill == "through" and price == target.limit:
                return False
            return self.is_good(target, price)

        if stop is not None and stops(at):
            return stop, at
        if target is not None and self.is_good(target, at):
            return target, at
        worst, best = (bar.low, bar.high) if entry.side > 0 else (bar.high, bar.low)
        if not stops(worst) and not gains(best):
            return None, 0.0
        hit = None
        if self.rules.bar_path == "pessimistic":
            is_left = target is not None and self.is_good(target, bar.close) and gains(best)
            hit = stop if stops(worst) else target if is_left else None
        elif self.rules.bar_path == "best":
            # A price worse than the entry's own comes after it where the open was better.
            is_sure = entry.side * (at - bar.open) < 0 and stops(worst)
            hit = target if gains(best) else stop if is_sure or stops(bar.close) else None
        else:
            first = [bar.high, bar.low] if self.is_up_first(bar) else [bar.low, bar.high]
            on_first_leg = (at > bar.open) == self.is_up_first(bar)
            for corner in [*(first if on_first_leg else first[1:]), bar.close]:
                if stops(corner) or gains(corner):
                    hit = stop if stops(corner) else target
                    break
        if hit is None:
            self.mark_last_fill(entry)
            return None, 0.0
        hit.is_ambiguous = True
        return hit, hit.limit if hit is target else hit.stop

    def mark_last_fill(self, order: Order) -> None:
        place = max(k for k, fill in enumerate(self.out.fills) if fill.number == order.number)
        self.out.fills[place] = replace(self.out.fills[place], is_ambiguous=True)

    def last_price(self, order: Order, number: int) -> float:
        """Return the last close, in the shares in which the order is placed."""
        price = self.mark.get(order.symbol, math.nan)
        for action in self.world.actions:
            is_next = action.symbol == order.symbol and action.row == number + 1
            if is_next and order.placed >= action.at:
                price /= action.ratio
        return price

    def trailed(self, order: Order, best: float) -> float:
        away = best * order.trail_percent if math.isnan(order.trail) else order.trail
        return best + order.side * away

    def follow(self, number: int) -> None:
        """Move trailing stops by the bar that is over."""
        for order in self.book:
            bar = self.world.bars[order.symbol].get(number)
            if order.type != "TRAILING_STOP" or order.status != "PENDING" or bar is None:
                continue
            # Of the bar in which its entry filled, inside or at the close, only the close comes later.
            best = bar.high if order.side < 0 else bar.low
            level = self.trailed(order, bar.close if order.row == number else best)
            tighter = max if order.side < 0 else min
            order.stop = level if math.isnan(order.stop) else tighter(order.stop, level)

    # Filling

    def execute(self, now: list[tuple[Order, float]], number: int, moment: str) -> None:
        if not now:
            return
        worth = self.worth(number, moment)
        waiting: list[tuple[Order, float]] = []
        first: list[tuple[Order, float]] = []
        for order, price in now:
            if order.status != "PENDING" or not self.size(order, price, worth):
                continue
            (first if self.goes_first(order) else waiting).append((order, price))
        for order, price in first:
            self.fill(order, price, number, moment, order.left)
        factor = None
        for order, price in waiting:
            if order.status != "PENDING":
                continue
            if not order.is_rebalance:
                self.fill(order, price, number, moment, order.left)
            elif factor is None:
                buys = [(o, p) for o, p in waiting if o.is_rebalance and o.status == "PENDING"]
                factor = self.factor(buys, number, moment)
                for buy, at in buys:
                    shrunk = buy.left
                    if factor < 1:
                        shrunk = self.rules.cut(self.part(buy, factor))
                    self.fill(buy, at, number, moment, shrunk)

    def goes_first(self, order: Order) -> bool:
        held = self.units[order.symbol]
        is_reducing = held * order.side < 0
        if not order.is_rebalance:
            return is_reducing
        if not self.rules.margin:
            return order.side < 0
        left = held + order.side * order.left
        return order.target == 0 or (is_reducing and not self.is_larger(left, held))

    def is_larger(self, left: float, held: float) -> bool:
        return abs(left) > abs(held) * (1 + SLACK)

    def worth_of(self, symbol: str, number: int, moment: str) -> float:
        if not self.units[symbol]:
            return 0.0
        bar = self.world.bars[symbol].get(number)
        if bar is None:
            return self.units[symbol] * self.mark[symbol]
        return self.units[symbol] * (bar.close if moment == "close" else bar.open)

    def worth(self, number: int, moment: str) -> float:
        return self.cash + sum(self.worth_of(symbol, number, moment) for symbol in self.units)

    def change_to(self, aim: float, held: float) -> float:
        """Return what is lacking to a target; a billionth of it is rounding, and nothing."""
        change = aim - held
        return 0.0 if abs(change) <= SLACK * max(abs(aim), abs(held)) else change

    def size(self, order: Order, price: float, worth: float) -> bool:
        """Turn fractions into shares; return whether there is something to trade."""
        is_free = not math.isnan(order.target) or not math.isnan(order.percent)
        if not is_free or order.is_fixed or order.filled:
            return True
        if worth < 0 and order.target != 0:
            order.status = "REJECTED"
            return False
        if not math.isnan(order.target):
            aim = self.rules.cut(order.target * worth / price) if order.target else 0.0
            change = self.change_to(aim, self.units[order.symbol])
        else:
            change = order.side * self.rules.cut(order.percent * worth / price)
        if change:
            order.side = 1 if change > 0 else -1
        order.quantity = abs(change)
        if change == 0:
            order.status = "NOTHING" if order.is_rebalance else "REJECTED"
        return change != 0

    def volume_used(self, symbol: str, number: int) -> tuple[float, float]:
        """Return the bar's volume and what was traded of it."""
        return self.world.bars[symbol][number].volume, self.traded.get((symbol, number), 0.0)

    def free(self, symbol: str, number: int) -> float:
        """Return how many shares the bar still takes."""
        if self.rules.volume_limit is None:
            return math.inf
        volume, used = self.volume_used(symbol, number)
        return max(self.rules.cut(self.rules.volume_limit * volume - used), 0.0)

    def slice(self, order: Order, number: int) -> float:
        return min(order.left, self.free(order.symbol, number))

    def slipped(self, order: Order, price: float, quantity: float, number: int | None) -> float:
        """Return the price moved by the slippage; without a bar's number by its constant part."""
        part = self.rules.slip
        if self.rules.impact and number is not None:
            volume, used = self.volume_used(order.symbol, number)
            share = min((used + quantity) / volume, 1.0) if volume > 0 else 1.0
            part += self.rules.impact * share**2
        moved = price + order.side * price * part
        if order.type in ("LIMIT", "STOP_LIMIT"):
            moved = min(moved, order.limit) if order.side > 0 else max(moved, order.limit)
        return max(moved, 0.0)

    def commission(self, order: Order, quantity: float, price: float) -> float:
        """Return what a fill adds to the order's commission, which is one for all its fills."""
        if not order.filled:
            return self.rules.fee(quantity, price, order.side)
        total = order.filled + quantity
        whole = self.rules.fee(total, (order.paid + quantity * price) / total, order.side)
        return max(whole - order.fee, 0.0)

    def cost(self, quantity: float, price: float) -> float:
        return quantity * price + self.rules.fee(quantity, price) if quantity > 0 else 0.0

    def part(self, order: Order, factor: float) -> float:
        """Return the shares that only close, and a part of those that open."""
        held = self.units[order.symbol]
        closing = min(order.left, abs(held)) if held * order.side < 0 else 0.0
        return closing + (order.left - closing) * factor

    def factor(self, buys: list[tuple[Order, float]], number: int, moment: str) -> float:
        """Return the largest part of what a rebalance opens that the account carries."""
        prices = {o.symbol: self.slipped(o, p, self.slice(o, number), number) for o, p in buys}

        def is_paid(factor: float) -> bool:
            return self.cash >= sum(
                self.cost(self.part(o, factor), prices[o.symbol]) for o, _ in buys
            )

        def is_carried(factor: float) -> bool:
            values = {s: self.worth_of(s, number, moment) for s in self.units}
            for symbol, price in prices.items():
                values[symbol] = self.units[symbol] * price
            equity = self.cash + sum(values.values())
            for order, _ in buys:
                quantity, price = self.part(order, factor), prices[order.symbol]
                equity -= self.rules.fee(quantity, price, order.side) if quantity > 0 else 0.0
                values[order.symbol] += order.side * quantity * price
            return self.is_within(sum(abs(value) for value in values.values()), equity)

        if not self.rules.margin and self.cash <= SLACK:
            return 0.0
        allows = is_carried if self.rules.margin else is_paid
        return 1.0 if allows(1.0) else self.largest(allows, 1.0, steps=60)

    def is_within(self, gross: float, equity: float, slack: float = SLACK) -> bool:
        return gross - self.rules.leverage * equity <= slack * gross

    def largest(self, allows: Callable[[float], bool], most: float, steps: int = 200) -> float:
        low, high = 0.0, most
        for _ in range(steps):
            middle = (low + high) / 2
            low, high = (middle, high) if allows(middle) else (low, middle)
        return low

    def affordable(
        self, price: Callable[[float], float], side: int = 1, cash: float | None = None
    ) -> float:
        """Return the most shares that the cash pays for, or would pay for of what is sold short.

        The price may rise with them.
        """
        money = self.cash if cash is None else cash
        if money <= SLACK:
            return 0.0

        def is_paid(quantity: float) -> bool:
            at = price(quantity)
            return quantity * at + self.rules.fee(quantity, at, side) <= money

        return self.rules.cut(self.largest(is_paid, money / price(0.0)))

    def fill(self, order: Order, raw: float, number: int, moment: str, quantity: float) -> None:
        free = self.free(order.symbol, number)
        if order.status != "PENDING" or free == 0:
            return

        def price_of(shares: float) -> float:
            return self.slipped(order, raw, shares, number)

        held = self.units[order.symbol]
        takes_all = order.all_cash and order.side > 0
        if order.all_cash:
            plain = self.slipped(order, raw, 0.0, None)
            price = price_of if order.side > 0 else lambda shares: plain
            quantity = self.affordable(price, order.side)
        is_closing = order.target == 0 or (order.side < 0 and not self.rules.margin)
        is_closing = order.is_forced or (order.is_rebalance and is_closing)
        if order.entry is not None or is_closing:
            quantity = min(quantity, abs(held)) if held * order.side < 0 else 0.0
        if quantity <= 0:
            if order.filled:
                order.status = "FILLED" if order.all_cash else "CANCELLED"
            else:
                is_nothing = order.is_rebalance or order.is_forced
                order.status = "NOTHING" if is_nothing else "REJECTED"
            return
        price = price_of(min(quantity, free))
        asked = quantity
        fee = self.commission(order, quantity, price)
        if self.rules.margin:
            if not order.is_rebalance and not order.is_forced:
                quantity = self.carried(order, quantity, price, number, moment)
            takes_all = takes_all and quantity == asked
        elif order.side < 0:
            proceeds = quantity * price - fee
            if quantity - held > SLACK * quantity or self.cash + proceeds < 0:
                quantity = 0.0
        elif quantity * price + fee - self.cash > SLACK * (quantity * price + fee):
            takes_all = True
            quantity = self.affordable(price_of) if self.rules.partial_on_cash else 0.0
        if quantity <= 0 or self.is_over_a_limit(order, quantity, price, number, moment):
            order.status = "CANCELLED" if order.filled else "REJECTED"
            return
        now = min(quantity, free)
        if quantity < asked:
            price = price_of(now)
        is_whole = now == quantity
        fee = self.commission(order, now, price)
        self.cash -= order.side * now * price + fee
        is_emptied = takes_all and is_whole and not order.filled and self.rules.fractional
        is_overdrawn = self.cash < 0 and not self.rules.margin
        if is_overdrawn or is_emptied:
            self.cash = 0.0
        left = held + order.side * now
        self.units[order.symbol] = 0.0 if abs(left) <= SLACK * now else left
        used = self.traded.get((order.symbol, number), 0.0)
        self.traded[order.symbol, number] = used + now
        order.quantity = order.filled + quantity
        order.filled += now
        order.paid += now * price
        order.fee += fee
        order.raw = raw
        order.status = "FILLED" if is_whole else "PENDING"
        is_marked = order.is_ambiguous and moment == "inside"
        self.out.fills.append(
            Fill(order.number, number, order.symbol, order.side * now, price, fee, is_marked)
        )
        self.after_fill(order, now, price, number, moment)
        if held * self.units[order.symbol] <= 0:
            self.release(order.symbol)

    def after_fill(
        self, order: Order, quantity: float, price: float, number: int, moment: str
    ) -> None:
        """Begin or enlarge the bracket; shrink or end what the fill cancels."""
        for child in order.children:
            if child.status == "PENDING":
                child.quantity += quantity
            elif child.status == "NOTHING":
                self.begin(child, order, quantity, price, number - (moment == "open"))
        for other in self.book:
            if other is order or not order.rivals or other.rivals != order.rivals:
                continue
            if other.status != "PENDING":
                continue
            is_left = order.entry is not None and other.left - quantity > SLACK * quantity
            if is_left:
                other.quantity -= quantity
            else:
                other.status = "CANCELLED"
        if order.entry is not None and order.entry.status == "PENDING":
            order.entry.status = "CANCELLED"

    def begin(self, child: Order, entry: Order, quantity: float, price: float, row: int) -> None:
        assert entry.bracket is not None
        child.status, child.side, child.quantity = "PENDING", -entry.side, quantity
        child.entry, child.row, child.placed = entry, row, entry.placed
        if child.type == "TRAILING_STOP":
            child.stop = self.trailed(child, price)
        elif child.type == "STOP" and math.isnan(child.stop):
            child.stop = price * (1 - entry.side * entry.bracket.stop_part)
        elif child.type == "LIMIT" and math.isnan(child.limit):
            child.limit = price * (1 + entry.side * entry.bracket.target_part)
        self.book.append(child)

    def release(self, symbol: str) -> None:
        """End the brackets of a symbol whose position is gone, with what is left of their entries."""
        for child in self.book:
            if child.symbol != symbol or child.entry is None or child.status != "PENDING":
                continue
            if self.units[symbol] * child.side >= 0:
                child.status = "CANCELLED"
                if child.entry.status == "PENDING":
                    child.entry.status = "CANCELLED"

    def is_over_a_limit(
        self, order: Order, quantity: float, price: float, number: int, moment: str
    ) -> bool:
        """Whether an order that enlarges its position exceeds one of the account's limits."""
        held = self.units[order.symbol]
        left = held + order.side * quantity
        if not self.is_larger(left, held):
            return False
        others = {
            symbol: abs(self.worth_of(symbol, number, moment))
            for symbol, units in self.units.items()
            if symbol != order.symbol and units != 0
        }
        position = abs(left) * price
        found = [
            (quantity * price, self.rules.most_per_trade),
            (position, self.rules.most_per_symbol),
            (position + sum(others.values()), self.rules.most_exposure),
            (len(others) + 1 if held == 0 else 0, self.rules.most_held),
        ]
        return any(amount - limit > SLACK * amount for amount, limit in found)

    def carried(
        self, order: Order, quantity: float, price: float, number: int, moment: str
    ) -> float:
        """Return what a margin account lets through of an order: all, or what fits, or nothing."""
        held = self.units[order.symbol]
        others = [self.worth_of(s, number, moment) for s in self.units if s != order.symbol]

        def allows(some: float, fee: float, slack: float = SLACK) -> bool:
            left = held + order.side * some
            equity = self.cash + sum(others) + held * price - fee
            return self.is_within(sum(map(abs, others)) + abs(left) * price, equity, slack)

        def fits(some: float) -> bool:
            return allows(some, self.rules.fee(some, price, order.side), 0.0)

        is_smaller = not self.is_larger(held + order.side * quantity, held)
        if is_smaller or allows(quantity, self.commission(order, quantity, price)):
            return quantity
        if not self.rules.partial_on_cash:
            return 0.0
        closing = abs(held) if held * order.side < 0 else 0.0
        more = self.largest(lambda some: fits(closing + some), quantity - closing)
        return self.rules.cut(closing + more if more > SLACK else closing)

    # The bar's end

    def value(self, number: int, *, again: bool = False) -> None:
        for symbol, bars in self.world.bars.items():
            if number in bars:
                self.mark[symbol] = bars[number].close
        held = sum(units * self.mark[s] for s, units in self.units.items() if units)
        if again:
            self.out.cash.pop()
            self.out.equity.pop()
        self.out.cash.append(self.cash)
        self.out.equity.append(self.cash + held)

    def call(self, number: int) -> None:
        """Place what a broker closes of the largest positions, until the account carries the rest."""
        if not self.rules.margin or self.rules.keep_long is None:
            return
        left = {symbol: abs(units) for symbol, units in self.units.items() if units}
        for order in self.book:
            if order.is_forced and order.symbol in left:
                left[order.symbol] = max(left[order.symbol] - order.left, 0.0)
        worth = self.cash + sum(self.units[s] * self.mark[s] for s in left)

        def rate(symbol: str) -> float:
            is_long = self.units[symbol] > 0
            return self.rules.keep_long if is_long else self.rules.keep_short

        needed = sum(shares * self.mark[s] * rate(s) for s, shares in left.items())
        lacking = needed - worth
        while lacking > 2 * SLACK * needed:  # the leverage has a slack of its own
            values = {s: shares * self.mark[s] for s, shares in left.items()}
            most = max(values.values(), default=0.0)
            if most <= 0:
                return
            symbol = next(s for s in self.units if values.get(s, 0.0) * (1 + SLACK) >= most)
            shares = lacking / (rate(symbol) * self.mark[symbol])
            if not self.rules.fractional:
                shares = float(math.ceil(shares - SLACK * max(1.0, shares)))
            shares = min(shares, left[symbol])
            side = -1 if self.units[symbol] > 0 else 1
            order = Order(symbol, side, shares, tif="GTC", row=number, is_forced=True)
            order.placed = self.world.rows[number].end
            order.number = self.force(order)
            self.book.append(order)
            left[symbol] = 0.0
            lacking -= shares * self.mark[symbol] * rate(symbol)

    def decide(self, number: int) -> None:
        for order in self.plan(number):
            order.row = number
            order.number = len(self.out.orders)
            order.session = self.world.session_of(order.placed)
            order.is_rebalance = not math.isnan(order.target)
            self.out.orders.append(order)
            if order.bracket is not None:
                order.children = order.bracket.orders(order.symbol)
                for child in order.children:
                    child.number, child.status = len(self.out.orders), "NOTHING"
                    child.rivals = f"bracket {order.number}"
                    self.out.orders.append(child)
            self.on_the_way.append(order)
        here = [o for o in self.on_the_way if o.row + self.rules.delay <= number]
        self.on_the_way = [o for o in self.on_the_way if o not in here]
        if self.rules.delay:
            rows = self.world.rows
            is_end = number + 1 == len(rows)
            session = self.world.session_of(rows[-1].end) if is_end else rows[number + 1].session
            for order in here:
                order.session = max(order.session, session)
        entered = self.arrive(here, number)
        if self.rules.fill == "same_close" and number >= 0 and self.world.rows[number].is_regular:
            now = []
            for order in entered:
                bar = self.world.bars[order.symbol].get(number)
                is_plain = order.type == "MARKET" and order.tif in ("DAY", "GTC")
                is_now = order.placed <= self.world.rows[number].end
                if bar and is_plain and is_now and order.status == "PENDING":
                    now.append((order, bar.close))
            if now:
                self.execute(now, number, "close")
                self.value(number, again=True)
                self.book = [o for o in self.book if o.status == "PENDING"]

    def arrive(self, orders: list[Order], number: int) -> list[Order]:
        """Take orders into the book as things stand now; return those that work."""
        entered: list[Order] = []
        for order in orders:
            is_working = any(o.symbol == order.symbol for o in self.book)
            held = self.units[order.symbol]
            is_met = {
                "": True,
                "long": held > 0,
                "short": held < 0,
                "flat": held == 0 and not is_working,
                "leaving": held * order.side <= 0 and not self.works_else(order.symbol),
            }[order.only_if]
            if not is_met:
                order.status = "NOTHING"
                continue
            if order.symbol in self.gone:
                order.status = "NOTHING" if order.target == 0 else "REJECTED"
                continue
            if order.is_rebalance:
                for older in self.book:
                    if older.symbol == order.symbol and older.is_rebalance:
                        older.status = "CANCELLED"
                self.book = [o for o in self.book if o.status == "PENDING"]
            if self.rules.size_at == "decision":
                self.size_now(order)
            if order.type == "TRAILING_STOP":
                order.stop = self.trailed(order, self.last_price(order, number))
            if order.status == "PENDING":
                self.book.append(order)
                entered.append(order)
        return entered

    def works_else(self, symbol: str) -> bool:
        """Whether an order of the symbol works that does not just close its position."""
        return any(
            order.symbol == symbol
            and order.target != 0
            and order.entry is None
            and not order.is_forced
            for order in self.book
        )

    def size_now(self, order: Order) -> None:
        """Fix the shares at the decision, from the closes known then."""
        order.is_fixed = True
        if not math.isnan(order.quantity):
            return
        price = self.mark.get(order.symbol, math.nan)
        worth = self.cash + sum(u * self.mark[s] for s, u in self.units.items() if u)
        held = self.units[order.symbol]
        if order.target == 0:
            change = -held
        elif math.isnan(price) or (worth < 0 and not order.all_cash):
            order.status = "REJECTED"
            return
        elif order.is_rebalance:
            change = self.change_to(self.rules.cut(order.target * worth / price), held)
        elif order.all_cash:
            is_reversing = order.only_if == "leaving" and held * order.side < 0
            money = self.cash + (held * price if is_reversing else 0.0)
            change = order.side * self.affordable(lambda shares: price, order.side, money)
            order.all_cash = False
        else:
            change = order.side * self.rules.cut(order.percent * worth / price)
        order.quantity = abs(change)
        if change:
            order.side = 1 if change > 0 else -1
        if change == 0:
            order.status = "NOTHING" if order.is_rebalance else "REJECTED"
