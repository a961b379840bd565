"""`python -m remit_client`: the same as `remit`."""

from remit_client.cli import main

if __name__ == "__main__":
    main()
