"""One list of names that mean harm, or look as if they did."""

from __future__ import annotations

__all__ = ["NAMES"]

NAMES = (
    # places
    "..", ".", "/", "//", "../../../etc/passwd", "..\\..\\windows\\system32", "/etc/passwd", "C:\\x", "~",
    "~root", "a/../b", "%2e%2e%2f%2fetc", "..%2F..%2Fx", "%00", "a\x00b", "file:///etc/passwd",
    "s3://bucket/x", "\\\\server\\share", "CON", "nul.csv", "aux", "COM1", "name.", "name ", " name",
    "...", "-rf", "--help", "*", "?", "a:b", "a|b", "<>", "x" * 300, "é" * 200,
    # databases
    "'; DROP TABLE users; --", "\" OR 1=1 --", "') UNION SELECT * FROM users --", "%", "_", "\\", "'", "\"",
    "`", ";", "--", "/* */", "$1", ":name", "%s", "%(x)s", "{0}", "{{7*7}}", "${x}", "#{x}",
    # pages
    "<script>window.hit=1</script>", "</script><script>window.hit=1</script>", "<img src=x onerror=window.hit=1>",
    "\" onmouseover=\"window.hit=1", "' onfocus='window.hit=1' autofocus='", "javascript:window.hit=1",
    "]]><script>window.hit=1</script>", "--><script>window.hit=1</script>", "<!--", "<svg/onload=window.hit=1>",
    "&lt;script&gt;", "</title><script>window.hit=1</script>", "</style><script>window.hit=1</script>",
    "\u2028window.hit=1//", "{{constructor.constructor('window.hit=1')()}}", "<!--<script>", "</textarea>",
    # spreadsheets
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", "=cmd|' /C calc'!A0", "\t=1+1", "\r=1+1", "\n=1+1", " =1+1",
    "＝1+1", "＋1", "－1", "＠A1", "\u00a0=1+1", "x\n=1+1", "a;=1+1", "\"=1+1", "\x0b=1", "\ufeff=1+1",
    # terminals and logs
    "\x1b[31mred", "\x1b]0;title\x07", "\x1b]8;;http://x\x07y\x1b]8;;\x07", "\x9b31m", "\x07", "\x08\x08\x08",
    "a\rb", "a\nmismartera: all is well", "a\r\nb", "\x85b", "[bold red]x[/]", "[/]", "[link=http://x]y[/link]",
    # letters
    "\u202ecod.exe", "\u2066x\u2069", "\u200b", "a\u200bb", "\u0430dmin", "admin\u0301", "e\u0301", "é",
    "\ufdfd", "ﬁ", "İ", "ß", "ẞ", "𝔄", "\ud800", "\udfff", "\ud83d", "👩\u200d👩\u200d👧", "\u0000", "",
    " ", "\t", "\u3000", "\x7f", "\uffff", "\U0010ffff", "z" + "\u0301" * 200,
    # values
    "null", "None", "NaN", "nan", "inf", "-inf", "1e999", "-0", "0x10", "1_000", "１２", "true", "9" * 400,
)  # fmt: skip
