#!/bin/sh
# A journal written with nothing but a shell: journal_by_hand.sh FOLDER. Follows docs/journal.md.
run="$(date -u +%Y%m%d-%H%M%S)-0badcafe"
file="$1/$run.jsonl"
say() { printf '%s\n' "$1" >> "$file"; }
now() { date +%s; }
say '{"stepline": "1.0", "task": {"id": "shell", "name": "from a shell"}, "run": "'"$run"'", "time": '"$(now)"', "total_steps": 3}'
say '{"kind": "train_start", "time": '"$(now)"'}'
for step in 1 2 3; do
    say '{"kind": "step", "time": '"$(now)"', "step": '"$step"', "metrics": {"loss": '"$((4 - step)).5"'}}'
done
say '{"kind": "train_end", "time": '"$(now)"', "step": 3, "details": {"status": "completed"}}'
