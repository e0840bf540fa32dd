"""Other products doing the same business in the same run: each in its own environment, its program in `scripts/`, in turns with ours."""
