"""The models of tasks, one module per topic. Import them from here."""

from tasks.models.attachments import Attachment, ContentChunk, LeftFolder
from tasks.models.attendance import Attendance, SeenRun
from tasks.models.conversation import Attention, ByHand, Outgoing, PushKey, PushSubscription, StartReport
from tasks.models.event import Event
from tasks.models.marks import RemovedRun
from tasks.models.order import Dependency
from tasks.models.outside import OutsideChange
from tasks.models.preview import PreviewGrant
from tasks.models.prompt_template import PromptTemplate
from tasks.models.review import Comment, Verdict, ViewedFile
from tasks.models.run import Run
from tasks.models.saved_filter import SavedFilter
from tasks.models.search import SearchBackfill, SearchEntry, UnindexedWork
from tasks.models.spotlight import Spotlight
from tasks.models.task import Task
from tasks.models.trains import MergeStep, MergeTrain, Radar, Resolution

__all__ = [
    "Attachment",
    "Attendance",
    "Attention",
    "ByHand",
    "Comment",
    "ContentChunk",
    "Dependency",
    "Event",
    "LeftFolder",
    "MergeStep",
    "MergeTrain",
    "Outgoing",
    "OutsideChange",
    "PreviewGrant",
    "PromptTemplate",
    "PushKey",
    "PushSubscription",
    "Radar",
    "RemovedRun",
    "Resolution",
    "Run",
    "SavedFilter",
    "SearchBackfill",
    "SearchEntry",
    "SeenRun",
    "Spotlight",
    "StartReport",
    "Task",
    "UnindexedWork",
    "Verdict",
    "ViewedFile",
]
