"""The second floor, left wing: who may say what, and where. It awaits storage and never sees a socket."""
