"""Tables from files: columns, classes, scaling, splits."""
