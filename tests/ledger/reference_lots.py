"""Lots and a daily ledger as plain loops, written to be read: the oracle of the tests."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Lot:
    quantity: float  # positive when long, negative when short
    price: float
    fee: float
    number: int  # of the step that opened it
    age: float  # the lower, the older


@dataclass
class Book:
    """One position: `fill`, `split`, `dividend`, `transfer` in the order in which they happened."""

    method: str = "fifo"
    lots: list[Lot] = field(default_factory=list)
    trades: list[tuple] = field(default_factory=list)
    realized: float = 0.0
    income: float = 0.0
    fees: float = 0.0
    cash: float = 0.0

    @property
    def position(self) -> float:
        return sum(lot.quantity for lot in self.lots)

    @property
    def cost(self) -> float:
        return sum(lot.quantity * lot.price for lot in self.lots)

    def fill(self, signed: float, price: float, fee: float, number: int, named=()) -> None:
        """Buy or sell; `named` are the (step that opened the lot, quantity) to close first."""
        self.cash -= signed * price + fee
        self.fees += fee
        self._apply(signed, price, fee, number, named, is_trade=True)

    def transfer(self, signed: float, price: float, number: int, age: float | None = None) -> None:
        """Move lots in at a cost, or out: nothing is realised and no cash moves."""
        self._apply(signed, price, 0.0, number, (), is_trade=False, age=age)

    def split(self, ratio: float) -> None:
        for lot in self.lots:
            lot.quantity *= ratio
            lot.price /= ratio

    def dividend(self, amount: float) -> None:
        self.income += self.position * amount
        self.cash += self.position * amount

    def _apply(self, signed, price, fee, number, named, *, is_trade, age=None) -> None:
        open_side = 1 if self.position > 0 else -1
        left = abs(signed)
        if self.lots and open_side * signed < 0:
            mean = self.cost / self.position
            mean_fee = sum(lot.fee for lot in self.lots) / abs(self.position)
            for lot, most in self._in_turn(open_side, named):
                if left <= 1e-9:
                    break
                taken = min(abs(lot.quantity), left, most)
                entry = mean if self.method == "average" else lot.price
                own_fee = lot.fee * taken / abs(lot.quantity)
                entry_fee = mean_fee * taken if self.method == "average" else own_fee
                exit_fee = fee * taken / abs(signed)
                gain = open_side * taken * (price - entry)
                if is_trade:
                    self.realized += gain
                    self.trades.append(
                        (lot.number, number, taken, entry, price, gain - entry_fee - exit_fee)
                    )
                lot.quantity -= open_side * taken
                lot.fee -= own_fee
                left -= taken
                if abs(lot.quantity) < 1e-9:
                    self.lots.remove(lot)
            if self.method == "average":
                for lot in self.lots:
                    lot.price, lot.fee = mean, mean_fee * abs(lot.quantity)
        if left > 1e-9:
            share = left / abs(signed)
            quantity = left if signed > 0 else -left
            new = Lot(quantity, price, fee * share, number, number if age is None else age)
            self.lots.append(new)
            self.lots.sort(key=lambda lot: lot.age)  # stable: of equal age the later comes last

    def _in_turn(self, side: int, named):
        """Yield the lots to close, and how much of each at most, as long as there are any."""
        for number, most in named:
            yield next(lot for lot in self.lots if lot.number == number), most
        while self.lots:
            yield self._next(side), float("inf")

    def _next(self, side: int) -> Lot:
        if self.method == "lifo":
            return self.lots[-1]
        if self.method == "hifo":
            return max(self.lots, key=lambda lot: side * lot.price + lot.fee / abs(lot.quantity))
        return self.lots[0]
