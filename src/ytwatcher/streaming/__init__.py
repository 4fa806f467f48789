"""The streaming way: readings to Kafka, alerts back from it. Kafka lives here and nowhere else."""
