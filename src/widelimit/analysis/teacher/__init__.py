"""Teachers: how fast a student comes near, and what it must share with its teacher."""
