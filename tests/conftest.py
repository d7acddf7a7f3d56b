"""Settings for every test. Nothing here may import widelimit: the shape checks hook its first import."""

import os

from hypothesis import settings

# No deadline: the first example of a shape compiles, the others do not. Few examples: each may compile.
settings.register_profile("local", deadline=None, max_examples=20)
settings.register_profile("ci", settings.get_profile("local"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
