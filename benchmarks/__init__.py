"""What `make bench` measures: the table of docs/performance.md, each row beside its peer."""
