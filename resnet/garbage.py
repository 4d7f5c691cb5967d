"""Python's search for garbage, in the processes of this project."""

import atexit
import gc


def search_rarely() -> None:
    """Search rarely, and not at the end of the process.

    TensorFlow, Prefect and their like make hundreds of thousands of objects at their import, and all of them stay. To
    search among them takes about as long as the rest of the import does (benchmarks/LOG.md).
    """
    gc.set_threshold(50_000, 20, 20)
    # At its exit Python would look at each of them twice more.
    atexit.register(gc.freeze)
