"""`pinlab doctor`."""

from __future__ import annotations

from pinlab.cli import _options as options
from pinlab.cli._show import show, show_json
from pinlab.field.acts.doctor import examine
from pinlab.objectives.verdict import EXIT_HOLDS, EXIT_UNKNOWN
from pinlab.report import census_schema as schema
from pinlab.report import census_table as table


def doctor(json: options.JsonOption = False) -> int:
    """Say which readers and walkers work here, testing each with a pin made for it.

    Status 0 if a census of this machine is possible, 3 if it is not.
    """
    findings = examine()
    if json:
        show_json(schema.doctor(findings))
    else:
        show(table.doctor(findings))
    works = any(each.works for each in findings if each.kind == "reader")
    return EXIT_HOLDS if works else EXIT_UNKNOWN
