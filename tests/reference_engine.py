"""The rule book as a plain loop: slow, clear, and written without looking at the kernel.

Prices are dollars, times integers; nothing here is shared with the engine but the rules' names.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

SLACK = 1e-9


@dataclass(frozen=True)
class Bar:
    open: float
    high: float
    low: float
    close: float


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
    borrow_rate: float = 0.0
    credit_rate: float = 0.0
    debit_rate: float = 0.0
    most_per_trade: float = math.inf
    most_per_symbol: float = math.inf
    most_held: float = math.inf
    most_exposure: float = math.inf

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


@dataclass
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
    only_if: str = ""
    placed: int = 0
    row: int = -1
    number: int = -1
    session: int = 0
    is_rebalance: bool = False
    is_triggered: bool = False
    status: str = "PENDING"


@dataclass(frozen=True)
class Fill:
    number: int
    row: int
    symbol: str
    quantity: float
    price: float
    fee: float


@dataclass
class Outcome:
    orders: list[Order] = field(default_factory=list)
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
        self.out = Outcome()

    def run(self) -> Outcome:
        self.decide(-1)
        for number, row in enumerate(self.world.rows):
            self.apply_actions(number)
            self.expire(row.session)
            if row.is_regular:
                self.match(number)
            self.value(number)
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
            self.units[action.symbol] *= action.ratio
            if action.symbol in self.mark:
                self.mark[action.symbol] /= action.ratio
            self.cash += action.dividend * self.units[action.symbol]
            for order in [*self.book, *self.on_the_way]:
                if order.symbol == action.symbol and order.placed < action.at:
                    order.quantity *= action.ratio
                    order.limit /= action.ratio
                    order.stop /= action.ratio

    def expire(self, session: int) -> None:
        for order in self.book:
            if order.tif != "GTC" and order.session < session:
                self.end(order)
        self.book = [order for order in self.book if order.status == "PENDING"]

    def end(self, order: Order) -> None:
        is_met = order.is_rebalance and order.target == 0 and self.units[order.symbol] == 0
        order.status = "NOTHING" if is_met else "EXPIRED"

    # Matching

    def match(self, number: int) -> None:
        points = {}
        for order in self.book:
            bar = self.world.bars[order.symbol].get(number)
            if bar is not None:
                points[order.number] = self.point(order, bar, number)
        for moment in ("open", "inside", "close"):
            now = [
                (order, points[order.number][1])
                for order in self.book
                if order.number in points and points[order.number][0] == moment
            ]
            self.execute(now, number, moment)
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
        if order.type == "MARKET":
            if self.rules.fill == "next_open":
                return "open", bar.open
            return "close", bar.close
        if order.type == "LIMIT":
            return self.limit_point(order, bar)
        if order.type == "STOP":
            if self.is_through(order, bar.open):
                return "open", bar.open
            if self.is_through(order, bar.high if order.side > 0 else bar.low):
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
            self.fill(order, price, number, moment, order.quantity)
        factor = None
        for order, price in waiting:
            if not order.is_rebalance:
                self.fill(order, price, number, moment, order.quantity)
            elif factor is None:
                buys = [(o, p) for o, p in waiting if o.is_rebalance]
                factor = self.factor(buys, number, moment)
                for buy, at in buys:
                    shrunk = buy.quantity
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
        left = held + order.side * order.quantity
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
        if not math.isnan(order.quantity) or order.all_cash:
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

    def slipped(self, order: Order, price: float) -> float:
        moved = price + order.side * price * self.rules.slip
        if order.type in ("LIMIT", "STOP_LIMIT"):
            moved = min(moved, order.limit) if order.side > 0 else max(moved, order.limit)
        return max(moved, 0.0)

    def cost(self, quantity: float, price: float) -> float:
        return quantity * price + self.rules.fee(quantity, price) if quantity > 0 else 0.0

    def part(self, order: Order, factor: float) -> float:
        """Return the shares that only close, and a part of those that open."""
        held = self.units[order.symbol]
        closing = min(order.quantity, abs(held)) if held * order.side < 0 else 0.0
        return closing + (order.quantity - closing) * factor

    def factor(self, buys: list[tuple[Order, float]], number: int, moment: str) -> float:
        """Return the largest part of what a rebalance opens that the account carries."""
        prices = {order.symbol: self.slipped(order, price) for order, price in buys}

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

    def affordable(self, price: float, side: int = 1, cash: float | None = None) -> float:
        """Return the most shares that the cash pays for, or would pay for of what is sold short."""
        money = self.cash if cash is None else cash
        if money <= SLACK:
            return 0.0

        def is_paid(quantity: float) -> bool:
            return quantity * price + self.rules.fee(quantity, price, side) <= money

        return self.rules.cut(self.largest(is_paid, money / price))

    def fill(self, order: Order, raw: float, number: int, moment: str, quantity: float) -> None:
        price = self.slipped(order, raw)
        held = self.units[order.symbol]
        takes_all = order.all_cash and order.side > 0
        if order.all_cash:
            quantity = self.affordable(price, order.side)
        if order.is_rebalance and (order.target == 0 or (order.side < 0 and not self.rules.margin)):
            quantity = min(quantity, abs(held)) if held * order.side < 0 else 0.0
        if quantity <= 0:
            order.status = "NOTHING" if order.is_rebalance else "REJECTED"
            return
        if self.rules.margin:
            allowed = quantity
            if not order.is_rebalance:
                allowed = self.carried(order, quantity, price, number, moment)
            takes_all = takes_all and allowed == quantity
            quantity = allowed
        elif order.side < 0:
            proceeds = quantity * price - self.rules.fee(quantity, price, -1)
            if quantity - held > SLACK * quantity or self.cash + proceeds < 0:
                quantity = 0.0
        elif self.cost(quantity, price) - self.cash > SLACK * self.cost(quantity, price):
            takes_all = True
            quantity = self.affordable(price) if self.rules.partial_on_cash else 0.0
        if quantity <= 0 or self.is_over_a_limit(order, quantity, price, number, moment):
            order.status = "REJECTED"
            return
        fee = self.rules.fee(quantity, price, order.side)
        self.cash -= order.side * quantity * price + fee
        is_overdrawn = self.cash < 0 and not self.rules.margin
        if is_overdrawn or (takes_all and self.rules.fractional):
            self.cash = 0.0
        left = held + order.side * quantity
        self.units[order.symbol] = 0.0 if abs(left) <= SLACK * quantity else left
        order.status = "FILLED"
        order.quantity = quantity
        self.out.fills.append(
            Fill(order.number, number, order.symbol, order.side * quantity, price, fee)
        )

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

        def allows(some: float, slack: float = SLACK) -> bool:
            left = held + order.side * some
            equity = self.cash + sum(others) + held * price
            equity -= self.rules.fee(some, price, order.side)
            return self.is_within(sum(map(abs, others)) + abs(left) * price, equity, slack)

        if not self.is_larger(held + order.side * quantity, held) or allows(quantity):
            return quantity
        if not self.rules.partial_on_cash:
            return 0.0
        closing = abs(held) if held * order.side < 0 else 0.0
        fits = self.largest(lambda more: allows(closing + more, 0.0), quantity - closing)
        return self.rules.cut(closing + fits if fits > SLACK else closing)

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

    def decide(self, number: int) -> None:
        for order in self.plan(number):
            order.row = number
            order.number = len(self.out.orders)
            order.session = self.world.session_of(order.placed)
            order.is_rebalance = not math.isnan(order.target)
            self.out.orders.append(order)
            self.on_the_way.append(order)
        here = [o for o in self.on_the_way if o.row + self.rules.delay <= number]
        self.on_the_way = [o for o in self.on_the_way if o not in here]
        if self.rules.delay:
            rows = self.world.rows
            is_end = number + 1 == len(rows)
            session = self.world.session_of(rows[-1].end) if is_end else rows[number + 1].session
            for order in here:
                order.session = max(order.session, session)
        entered = self.arrive(here)
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

    def arrive(self, orders: list[Order]) -> list[Order]:
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
            if order.is_rebalance:
                for older in self.book:
                    if older.symbol == order.symbol and older.is_rebalance:
                        older.status = "CANCELLED"
                self.book = [o for o in self.book if o.status == "PENDING"]
            if self.rules.size_at == "decision":
                self.size_now(order)
            if order.status == "PENDING":
                self.book.append(order)
                entered.append(order)
        return entered

    def works_else(self, symbol: str) -> bool:
        """Whether an order of the symbol works that does not just close its position."""
        return any(order.symbol == symbol and order.target != 0 for order in self.book)

    def size_now(self, order: Order) -> None:
        """Fix the shares at the decision, from the closes known then."""
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
            change = order.side * self.affordable(price, order.side, money)
            order.all_cash = False
        else:
            change = order.side * self.rules.cut(order.percent * worth / price)
        order.quantity = abs(change)
        if change:
            order.side = 1 if change > 0 else -1
        if change == 0:
            order.status = "NOTHING" if order.is_rebalance else "REJECTED"
