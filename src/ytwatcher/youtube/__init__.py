"""YouTube's Data API: asking (client), reading answers (parse), understanding refusals (faults)."""
