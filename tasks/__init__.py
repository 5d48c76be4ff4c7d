"""Prefect's side of the work: thin tasks that invoke the handler and tell the UI."""
