"""The pieces put together: classifiers, and what their training minimises."""
