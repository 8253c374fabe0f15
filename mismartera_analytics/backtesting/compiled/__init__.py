"""Strategies whose `on_bar` is compiled: the same names, rules and answers, at the kernel's speed."""
