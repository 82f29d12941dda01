"""Keep ITK to one thread where the order of its sums would show in the result."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import SimpleITK as sitk

# ITK's default number of threads belongs to the process, so two registrations in two Python
# threads take turns: neither may put the number back while the other one runs.
_TURN = threading.RLock()


@contextmanager
def one_itk_thread() -> Iterator[None]:
    """Run ITK single-threaded inside the block, and leave its default as it was.

    ``ImageRegistrationMethod.SetNumberOfThreads`` does not reach the metric's own threads (seen
    with SimpleITK 2.5.7): the derivative of Mattes mutual information is then summed in the order
    in which threads finish, and its last bits differ from run to run.
    """
    with _TURN:
        before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
        try:
            yield
        finally:
            sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
