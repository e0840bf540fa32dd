"""Real users as real processes, on either mode, over simulated networks: what `infobase bench gilev` and `bench modes` measure."""
