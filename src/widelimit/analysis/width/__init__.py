"""What a finite width costs."""
