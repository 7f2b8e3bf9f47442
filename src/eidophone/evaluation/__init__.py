"""Many results, judged and compared: means with intervals, tables, a report."""
