"""The room of jobs: long work that is started, watched, paused, resumed and cancelled."""

from __future__ import annotations

from inglenook.jobs.job import Job, JobState, Work
from inglenook.jobs.retries import Retry, RetryQueue
from inglenook.jobs.room import JobRoom

__all__ = ["Job", "JobRoom", "JobState", "Retry", "RetryQueue", "Work"]
