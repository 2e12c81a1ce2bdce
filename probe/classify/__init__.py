"""Pure judgement: facts, plan, rules, fold, verdict. Nothing here opens, reads a clock or logs."""
