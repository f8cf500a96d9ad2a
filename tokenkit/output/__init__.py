"""Output: reports, charts, spreadsheet files and snapshots."""
