"""What is said of it: tables of rules, one module for each subject, and the order in which they speak."""
