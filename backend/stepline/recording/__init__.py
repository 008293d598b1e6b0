"""What lives in a training process: it writes the run's journal and must never be felt.

    callback ─ training_run ─ trainer_facts, speed, train_call      a transformers training
             └ ranks, commands                                       what a person asks of it, on all its ranks
    recorder                                                         any other loop: `stepline.record`
    run_journal ─ journal_file ─ journal                             one run's journal, through whatever happens
    hook                                                             report_to="stepline", and `stepline run`

Everything here is the standard library alone (`callback` imports the transformers that its training has loaded).
"""
