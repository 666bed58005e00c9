"""`python -m benchmarks`: every benchmark."""

from __future__ import annotations

from benchmarks import bench_audit, bench_field, bench_lab, bench_pages, bench_watch

bench_lab.main()
bench_field.main()
bench_watch.main()
bench_audit.main()
bench_pages.main()
