"""``python -m odzew`` is ``odzew``."""

from odzew.cli import main

if __name__ == "__main__":
    main()
