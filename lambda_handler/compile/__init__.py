"""The compile step: from a project's pages to one flat page that needs no network."""
