"""What was seen: the verbs that rules and planner ask, and one module for each kind of evidence."""
