"""An in-process test double of Upstash QStash with a virtual clock."""
