"""The second floor, right wing: who is here. It awaits storage (leases) and never sees a socket."""
