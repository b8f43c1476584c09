"""The report: one HTML page that stands alone, made from the study's metrics."""
