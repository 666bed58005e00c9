"""Events of a running kernel, one per folio and instant, judged by the objectives of the thread."""
