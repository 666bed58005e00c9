"""`python -m benchmarks`: every benchmark."""

from __future__ import annotations

from benchmarks import bench_field, bench_lab, bench_watch

bench_lab.main()
bench_field.main()
bench_watch.main()
