from tests.world import books, prices, split

__all__ = ["books", "prices", "split"]
