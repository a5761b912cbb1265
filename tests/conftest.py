"""What holds for all tests."""

from hypothesis import settings

# A test is judged by its answer, not by how busy the machine is.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
