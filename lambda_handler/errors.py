"""Every way a render can fail, which failures a retry can mend, and what to do about each.

RenderError
├── RequestError                   the request is wrong; nothing was started
│   ├── InvalidConfig                  InvalidConfigError
│   ├── PlanProtocolUnsupported        PLAN_PROTOCOL_UNSUPPORTED
│   ├── UriNotAllowed                  S3_URI_NOT_ALLOWED
│   ├── StackNotFound                  STACK_NOT_FOUND
│   ├── RenderNotFound                 RENDER_NOT_FOUND
│   ├── BatchInvalid                   BATCH_INVALID
│   ├── WebhookInvalid                 WEBHOOK_INVALID
│   └── FormatNotSupported             FORMAT_NOT_SUPPORTED_IN_DISTRIBUTED
├── ProjectError                   the project is wrong; found while planning
│   ├── ProjectNotFound                PROJECT_NOT_FOUND
│   ├── ProjectArchiveInvalid          PROJECT_ARCHIVE_INVALID
│   ├── CompositionNotFound            COMPOSITION_NOT_FOUND
│   ├── CompositionInvalid             COMPOSITION_INVALID
│   ├── CompositionCycle               COMPOSITION_CYCLE
│   ├── EmptyComposition               EMPTY_COMPOSITION
│   ├── FeatureNotSupported            FEATURE_NOT_SUPPORTED
│   ├── DurationOutOfRange             DISTRIBUTED_DURATION_OUT_OF_RANGE
│   ├── VariablesInvalid               VARIABLES_INVALID
│   ├── PageAssetMissing               PAGE_ASSET_MISSING
│   ├── NotMediaPayload                NOT_MEDIA_PAYLOAD
│   ├── VideoSourceUnrenderable        VIDEO_SOURCE_UNRENDERABLE
│   ├── InvalidVideoMetadata           INVALID_VIDEO_METADATA
│   ├── AudioSourceInvalid             AUDIO_SOURCE_INVALID
│   ├── FontFetchFailed                FONT_FETCH_FAILED
│   ├── SystemFontUsed                 SYSTEM_FONT_USED
│   ├── PageScriptFailed               PAGE_SCRIPT_FAILED
│   ├── PageNotReady                   PAGE_NOT_READY
│   └── PlanTooLarge                   PLAN_TOO_LARGE
├── MachineError              the machine is wrong
│   ├── ChromeUnavailable              ChromeBinaryUnavailableError
│   ├── FfmpegUnavailable              FFMPEG_UNAVAILABLE
│   ├── RuntimeUnavailable             PAGE_RUNTIME_UNAVAILABLE
│   ├── FfmpegMismatch                 FFMPEG_VERSION_MISMATCH
│   ├── BrowserMismatch                BROWSER_VERSION_MISMATCH
│   ├── GpuNotSoftware                 BROWSER_GPU_NOT_SOFTWARE
│   ├── PrefectServerFailed            PREFECT_SERVER_FAILED
│   ├── StackInvalid                   STACK_INVALID
│   └── StorageFull                    STORAGE_FULL
├── IntegrityError                 the render folder does not hold what it says
│   ├── PlanHashMismatch               PLAN_HASH_MISMATCH
│   ├── PlanArtifactDigestMismatch     PLAN_ARTIFACT_DIGEST_MISMATCH
│   ├── MissingPlanArtifact            MISSING_PLAN_ARTIFACT
│   ├── ChunkIndexOutOfRange           CHUNK_INDEX_OUT_OF_RANGE
│   └── OutputInvalid                  OUTPUT_INVALID
├── Stopped                        somebody, or a limit, stopped the work
│   ├── RenderCancelled                RENDER_CANCELLED
│   ├── BatchIncomplete                BATCH_INCOMPLETE
│   ├── RenderDeadline                 RENDER_DEADLINE
│   ├── ChunkDeadline                  CHUNK_DEADLINE
│   ├── ChunkMemory                    CHUNK_MEMORY
│   ├── WorkerDeadline                 WORKER_DEADLINE
│   └── WorkerMemory                   WORKER_MEMORY
├── Transient                      the same work may succeed when tried again
│   ├── BrowserFailed                  BROWSER_FAILED
│   ├── EncoderInterrupted             ENCODER_INTERRUPTED
│   ├── ChunkInvalid                   CHUNK_INVALID
│   ├── AssetFetchUnavailable          ASSET_FETCH_UNAVAILABLE
│   ├── FontFetchUnavailable           FONT_FETCH_UNAVAILABLE
│   ├── StorageUnavailable             STORAGE_UNAVAILABLE
│   └── WorkerLost                     WORKER_LOST
└── Throttled                      the platform asks to wait
                                       THROTTLED

An error's name on the wire is its code: Step Functions and Prefect decide by it, from `ERRORS`
(after a change, `make generated` writes the state machine and docs/aws.md anew).
The codes that the reference deployment has keep its spelling.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from enum import StrEnum
from typing import ClassVar


class Retry(StrEnum):
    """Whether doing the same again can help."""

    NEVER = "never"
    TRANSIENT = "transient"
    THROTTLED = "throttled"


class RenderError(Exception):
    """The root. `str(error)` says what was wrong and where, then what to do next.

    `summary` says what was wrong; `resolution` replaces the class's own advice where the place that
    raises knows better.
    """

    code: ClassVar[str] = "RENDER_FAILED"
    retry: ClassVar[Retry] = Retry.NEVER
    advice: ClassVar[str] = "Read the worker's log for the cause."

    def __init__(self, summary: str, *, resolution: str | None = None) -> None:
        self.summary = summary
        self.resolution = resolution or self.advice
        super().__init__(f"{summary}\n{self.resolution}")

    def __reduce__(self) -> tuple[Callable[..., RenderError], tuple[type[RenderError], str, str]]:
        return _restored, (type(self), self.summary, self.resolution)


def _restored(kind: type[RenderError], summary: str, resolution: str) -> RenderError:
    return kind(summary, resolution=resolution)


class RequestError(RenderError):
    """The request is wrong; nothing was started."""

    code = "REQUEST_INVALID"
    advice = "Correct the request."


class InvalidConfig(RequestError):
    """A field of the request is unknown, out of range or contradicts another."""

    code = "InvalidConfigError"
    advice = "Correct the field named above."


class PlanProtocolUnsupported(RequestError):
    """The event asks for a plan protocol this worker does not speak."""

    code = "PLAN_PROTOCOL_UNSUPPORTED"
    advice = "Leave PlanProtocol out, or send 'v2'."


class UriNotAllowed(RequestError):
    """A URI lies outside the bucket or the local roots this worker may touch."""

    code = "S3_URI_NOT_ALLOWED"
    advice = "Move it inside the allowed bucket or folder, or allow its folder (HYPERFRAMES_LOCAL_ROOTS)."


class StackNotFound(RequestError):
    """No render stack has that name."""

    code = "STACK_NOT_FOUND"
    advice = "Save a RenderStack block under that name (prefect block register -m tasks.render_stack), or say local."


class RenderNotFound(RequestError):
    """There is no render in that folder, or none of that name."""

    code = "RENDER_NOT_FOUND"
    advice = "Name a render folder, as a path or a URI, or a render below the root (--root, --stack)."


class BatchInvalid(RequestError):
    """Rows of a batch cannot be rendered; none was started."""

    code = "BATCH_INVALID"
    advice = "Correct the rows named above; with a dry run nothing is rendered."


class WebhookInvalid(RequestError):
    """The webhook's address is not one that may be called."""

    code = "WEBHOOK_INVALID"
    advice = "Give an https:// URL of a host on the internet, without user name and password."


class FormatNotSupported(RequestError):
    """The output format cannot be rendered in chunks."""

    code = "FORMAT_NOT_SUPPORTED_IN_DISTRIBUTED"
    advice = "Ask for format mp4 (codec h264 or h265), mov, webm, png-sequence or gif, in SDR."


class ProjectError(RenderError):
    """The project is wrong; found while planning, before any frame is rendered."""

    code = "PROJECT_INVALID"
    advice = "Correct the project and render it again."


class ProjectNotFound(ProjectError):
    """Nothing is stored at the project's URI."""

    code = "PROJECT_NOT_FOUND"
    advice = "Check the path; a project is a folder, or a .tar.gz of one, with an index.html at its top."


class ProjectArchiveInvalid(ProjectError):
    """The archive is damaged, too large, or holds members that would leave its folder."""

    code = "PROJECT_ARCHIVE_INVALID"
    advice = "Pack the project again with plain files and folders only, e.g. tar -C PROJECT -czf project.tar.gz ."


class CompositionNotFound(ProjectError):
    """There is no entry page, or no composition on it."""

    code = "COMPOSITION_NOT_FOUND"
    advice = "The entry page needs an element with data-composition-id, data-width and data-height."


class CompositionInvalid(ProjectError):
    """An attribute of the composition has an impossible value."""

    code = "COMPOSITION_INVALID"
    advice = "Correct the attribute named above."


class CompositionCycle(ProjectError):
    """A sub-composition mounts itself, directly or through others."""

    code = "COMPOSITION_CYCLE"
    advice = "Remove one data-composition-src of the cycle."


class EmptyComposition(ProjectError):
    """A mounted sub-composition is missing or holds nothing."""

    code = "EMPTY_COMPOSITION"
    advice = "Create the file; data-composition-src is relative to the project's top folder."


class FeatureNotSupported(ProjectError):
    """The composition uses something that would be left out of the picture or the sound."""

    code = "FEATURE_NOT_SUPPORTED"
    advice = "Remove the element named above; it would be missing from the video."


class DurationOutOfRange(ProjectError):
    """The composition's duration is zero, infinite, unknown or above 24 hours."""

    code = "DISTRIBUTED_DURATION_OUT_OF_RANGE"
    advice = "Set data-duration (seconds) on the root composition, or register a timeline that ends."


class VariablesInvalid(ProjectError):
    """A variable is not declared, or its value does not fit its declaration."""

    code = "VARIABLES_INVALID"
    advice = "Compare with data-composition-variables in the project."


class PageAssetMissing(ProjectError):
    """A script, style, font or image the page asks for cannot be had."""

    code = "PAGE_ASSET_MISSING"
    advice = "Put the file into the project, or correct its URL."


class NotMediaPayload(ProjectError):
    """A media file is something else: a Git LFS pointer, a web page, nothing at all."""

    code = "NOT_MEDIA_PAYLOAD"
    advice = "Put the media file itself into the project."


class VideoSourceUnrenderable(ProjectError):
    """A media file cannot be read, lacks what is asked of it, or ends before it would begin to show."""

    code = "VIDEO_SOURCE_UNRENDERABLE"
    advice = "Play the file in a browser; convert it to MP4 (H.264, AAC) or WebM where that fails."


class InvalidVideoMetadata(ProjectError):
    """A media file does not say how long it lasts or how large its pictures are."""

    code = "INVALID_VIDEO_METADATA"
    advice = "Write the file anew: ffmpeg -i IN -c copy OUT."


class AudioSourceInvalid(ProjectError):
    """The file of an audible element holds no sound, or none that can be decoded."""

    code = "AUDIO_SOURCE_INVALID"
    advice = "Replace the file, mute the element, or set strictness to best-effort to render without its sound."


class FontFetchFailed(ProjectError):
    """A font that the page asks for is nowhere: not in the project, not bundled, not at Google Fonts."""

    code = "FONT_FETCH_FAILED"
    advice = (
        "Put the font's file into the project with an @font-face rule, name a bundled family instead, or set "
        "failClosedFontFetch to false (without --strict-fonts) to have another drawn."
    )


class SystemFontUsed(ProjectError):
    """A text is set in a font that comes with some operating system, and nothing is known to stand in for it."""

    code = "SYSTEM_FONT_USED"
    advice = (
        "Put a font's file into the project with an @font-face rule, name a bundled family before it, or set "
        "rejectOnSystemFonts to false (without --strict-fonts) to have Inter drawn."
    )


class PageScriptFailed(ProjectError):
    """A script of the composition threw while the page was set up."""

    code = "PAGE_SCRIPT_FAILED"
    advice = "Open the page in a browser and mend the script."


class PageNotReady(ProjectError):
    """The page did not become ready within the page time limit."""

    code = "PAGE_NOT_READY"
    advice = (
        "Do what the message says about what the page waits for; HYPERFRAMES_PAGE_TIMEOUT (seconds) sets the limit."
    )


class PlanTooLarge(ProjectError):
    """The project or its plan exceeds the size or frame limits."""

    code = "PLAN_TOO_LARGE"
    advice = "Leave unused files out of the project, or split the video."


class MachineError(RenderError):
    """The machine is not fit for rendering."""

    code = "ENVIRONMENT_INVALID"
    advice = "Run prefect-hyperframes doctor."


class ChromeUnavailable(MachineError):
    """The pinned Chromium is missing, damaged or does not start."""

    code = "ChromeBinaryUnavailableError"
    advice = "Run make setup, or set CHROMIUM_PATH to a chromium headless shell; prefect-hyperframes doctor tells more."


class FfmpegUnavailable(MachineError):
    """The pinned ffmpeg is missing or damaged."""

    code = "FFMPEG_UNAVAILABLE"
    advice = "Run make setup, or set FFMPEG_PATH; prefect-hyperframes doctor tells more."


class RuntimeUnavailable(MachineError):
    """The page runtime or a bundled page library is missing or damaged."""

    code = "PAGE_RUNTIME_UNAVAILABLE"
    advice = "Run make setup (npm ci); prefect-hyperframes doctor tells more."


class FfmpegMismatch(MachineError):
    """This worker's ffmpeg is not the one the plan was made with."""

    code = "FFMPEG_VERSION_MISMATCH"
    advice = "Render with the same build everywhere, or plan again with this one."


class BrowserMismatch(MachineError):
    """This worker's Chromium is not the one the plan was made with."""

    code = "BROWSER_VERSION_MISMATCH"
    advice = "Render with the same build everywhere, or plan again with this one."


class GpuNotSoftware(MachineError):
    """The browser would draw with a GPU: pixels would differ between machines."""

    code = "BROWSER_GPU_NOT_SOFTWARE"
    advice = "Use the pinned Chromium, and leave its arguments alone."


class PrefectServerFailed(MachineError):
    """The background Prefect server did not start."""

    code = "PREFECT_SERVER_FAILED"
    advice = "Set PREFECT_API_URL to a Prefect API that answers, or mend what the log names."


class StackInvalid(MachineError):
    """A part of the render stack is missing or out of reach: its bucket, function, state machine or credentials."""

    code = "STACK_INVALID"
    advice = "Compare the RenderStack block with the outputs of the CloudFormation stack, and check its credentials."


class StorageFull(MachineError):
    """No space is left where the worker writes."""

    code = "STORAGE_FULL"
    advice = (
        "Free disk space, or set TMPDIR and --root to a larger disk; in Lambda, whose disk is as large as it can be, "
        "use smaller chunks (chunkSize) or smaller files. What is rendered is kept."
    )

    @staticmethod
    def is_meant_by(error: BaseException) -> bool:
        """Whether the system says by that error that a disk, or a user's share of it, is full."""
        return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


class IntegrityError(RenderError):
    """The render folder does not hold what it says."""

    code = "INTEGRITY_FAILED"
    advice = "Plan again into a new render folder."


class PlanHashMismatch(IntegrityError):
    """The manifest is not the one this event was made for."""

    code = "PLAN_HASH_MISMATCH"


class PlanArtifactDigestMismatch(IntegrityError):
    """An artifact's bytes are not those the plan froze."""

    code = "PLAN_ARTIFACT_DIGEST_MISMATCH"


class MissingPlanArtifact(IntegrityError):
    """The manifest, or an artifact it names, is not in the render folder."""

    code = "MISSING_PLAN_ARTIFACT"
    advice = "Run the same request again: what is missing of the plan is stored again, and what is rendered is kept."


class ChunkIndexOutOfRange(IntegrityError):
    """The event asks for a chunk the plan does not have."""

    code = "CHUNK_INDEX_OUT_OF_RANGE"
    advice = "Take the chunk's index from the plan's result: 0 to ChunkCount - 1."


class OutputInvalid(IntegrityError):
    """The assembled video failed its verification and was not published."""

    code = "OUTPUT_INVALID"


class Stopped(RenderError):
    """Somebody, or a limit, stopped the work. What is rendered is kept."""

    code = "STOPPED"
    advice = "Run the same request again: only what is missing is rendered."


class RenderCancelled(Stopped):
    """The render folder holds a `cancel` object."""

    code = "RENDER_CANCELLED"


class BatchIncomplete(Stopped):
    """Some rows of a batch were not rendered; the others were."""

    code = "BATCH_INCOMPLETE"
    advice = "Correct what the rows name, and run the batch again: only what is missing is rendered."


class RenderDeadline(Stopped):
    """The render took longer than its time limit."""

    code = "RENDER_DEADLINE"
    advice = "Raise RenderTimeoutSec, or resume the render: only what is missing is rendered."


class ChunkDeadline(Stopped):
    """The chunk would not have finished before its time limit."""

    code = "CHUNK_DEADLINE"
    advice = "Use more and smaller chunks (maxParallelChunks, chunkSize), or raise LambdaTimeoutSec (at most 900)."


class ChunkMemory(Stopped):
    """The worker would have been killed for its memory."""

    code = "CHUNK_MEMORY"
    advice = "Raise the function's memory (LambdaMemoryMb), or render a smaller picture."


class WorkerDeadline(Stopped):
    """Planning, or assembling, would not have finished before the time limit."""

    code = "WORKER_DEADLINE"
    advice = (
        "Raise the function's timeout (LambdaTimeoutSec, at most 900), or its memory (LambdaMemoryMb), which brings "
        "cores; where both are as high as they go, split the video."
    )


class WorkerMemory(Stopped):
    """Planning, or assembling, would have been killed for its memory."""

    code = "WORKER_MEMORY"
    advice = "Raise the function's memory (LambdaMemoryMb, at most 10240), or split the video."


class Transient(RenderError):
    """The same work may succeed when tried again."""

    code = "TRANSIENT"
    retry = Retry.TRANSIENT
    advice = "It was tried several times; run the same request again, only what is missing is rendered."


class BrowserFailed(Transient):
    """The browser died or stopped answering."""

    code = "BROWSER_FAILED"


class EncoderInterrupted(Transient):
    """ffmpeg ended before it had every frame."""

    code = "ENCODER_INTERRUPTED"


class ChunkInvalid(Transient):
    """A chunk failed its verification."""

    code = "CHUNK_INVALID"


class AssetFetchUnavailable(Transient):
    """An asset's server could not be reached, or answered with a fault of its own."""

    code = "ASSET_FETCH_UNAVAILABLE"
    advice = "Put the file into the project; a render needs no network then."


class FontFetchUnavailable(Transient):
    """A font's server could not be reached, or answered with a fault of its own."""

    code = "FONT_FETCH_UNAVAILABLE"
    advice = (
        "Put the font's file into the project with an @font-face rule, name a bundled family instead, or set "
        "failClosedFontFetch to false (without --strict-fonts) to have another drawn."
    )


class StorageUnavailable(Transient):
    """The object store did not answer as it should."""

    code = "STORAGE_UNAVAILABLE"


class WorkerLost(Transient):
    """The worker process ended without an answer."""

    code = "WORKER_LOST"


class Throttled(RenderError):
    """The platform asks to wait."""

    code = "THROTTLED"
    retry = Retry.THROTTLED
    advice = "Lower the number of parallel chunks, or raise the function's reserved concurrency."


def _tree(root: type[RenderError]) -> list[type[RenderError]]:
    return [root, *(leaf for child in root.__subclasses__() for leaf in _tree(child))]


ERRORS: dict[str, type[RenderError]] = {error.code: error for error in _tree(RenderError)}
"""The one table of error codes: retry lists of both engines are made from it."""


def from_wire(code: str, message: str) -> RenderError:
    """The error that a worker reported as `code` with `message`; unknown codes are not retried."""
    summary, _, resolution = message.rpartition("\n")
    return ERRORS.get(code, RenderError)(summary or message, resolution=resolution if summary else None)
