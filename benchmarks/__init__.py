"""How fast renders are beside the reference's: `make bench`, docs/performance.md."""
