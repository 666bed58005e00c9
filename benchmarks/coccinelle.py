"""The rule by which coccinelle finds the calls that acquire: for a benchmark and for a test."""

from __future__ import annotations

RULE = """
@initialize:python@ @@
@r@
identifier f =~ "^({names})$";
position p;
@@
 f@p(...)
@script:python@ p << r.p; @@
print("SITE %s:%s" % (p[0].file, p[0].line))
"""
"""`{names}` is an alternation of the functions' names; each call is printed as `SITE file:line`."""
