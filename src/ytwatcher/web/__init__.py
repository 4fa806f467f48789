"""The pages, the API and the gauges: one site, served by the process that watches."""
