"""`python -m loadtest`."""

from loadtest.people.cli import main

main()
