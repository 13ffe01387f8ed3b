"""People who are not there: a load test that talks as friends talk, and an oracle that checks every word (docs/loadtest.md)."""
