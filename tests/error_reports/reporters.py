"""What prints an error: each function takes one and returns the text that a log or a crash reporter would get."""

from __future__ import annotations

import copy
import io
import json
import logging
import pickle
import traceback
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from tests.libraries import library, logged_text

if TYPE_CHECKING:
    from collections.abc import Callable

LONG = 100_000


def frames_of(error: BaseException) -> list[dict[str, Any]]:
    """The variables of all frames."""
    return [dict(frame.f_locals) for frame, _ in traceback.walk_tb(error.__traceback__)]


def with_locals(error: BaseException) -> str:
    """What `traceback` prints with variables."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def with_cgitb(error: BaseException) -> str:
    """What `cgitb.enable()` prints; it was removed in Python 3.13."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cgitb = pytest.importorskip("cgitb")
    text = io.StringIO()
    cgitb.Hook(file=text, format="text").handle((type(error), error, error.__traceback__))
    cgitb.Hook(file=text, format="html").handle((type(error), error, error.__traceback__))
    return text.getvalue()


def with_pytest(error: BaseException) -> str:
    """What `pytest --showlocals -vv` prints."""
    found = pytest.ExceptionInfo.from_exc_info((type(error), error, error.__traceback__))  # type: ignore[arg-type]  # there is one
    return str(found.getrepr(showlocals=True, style="long", truncate_locals=False))


def with_rich(error: BaseException) -> str:
    """What rich draws with variables; drawing it takes a hundred times as long."""
    trace = library("rich.traceback").Traceback.extract(
        type(error), error, error.__traceback__, show_locals=True, locals_max_length=None, locals_max_string=None,
        locals_hide_dunder=False, locals_hide_sunder=False,
    )  # fmt: skip
    return repr(trace)


def with_logging(error: BaseException) -> str:
    """What `logging` writes."""
    return _logged(error, logging.Formatter())


def with_json_logger(error: BaseException) -> str:
    """What python-json-logger writes, with the error among the extra fields."""
    return _logged(error, library("pythonjsonlogger.json").JsonFormatter())


def _logged(error: BaseException, formatter: logging.Formatter) -> str:
    extra = {"error": error, "arguments": error.args}
    return logged_text(formatter, lambda logger: logger.error("failed: %s", error, exc_info=error, extra=extra))


def with_opentelemetry(error: BaseException) -> str:
    """What OpenTelemetry exports for a span that recorded the error."""
    export = library("opentelemetry.sdk.trace.export")
    exporter = library("opentelemetry.sdk.trace.export.in_memory_span_exporter").InMemorySpanExporter()
    provider = library("opentelemetry.sdk.trace").TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    with provider.get_tracer("test").start_as_current_span("call") as span:
        span.record_exception(error)
    return "".join(span.to_json() for span in exporter.get_finished_spans())


def with_sentry(error: BaseException) -> str:
    """What the Sentry SDK sends, with variables and personal data allowed."""
    sentry, transport = library("sentry_sdk"), library("sentry_sdk.transport")
    sent: list[str] = []

    class Keeper(transport.Transport):  # type: ignore[misc,name-defined]  # of a library that need not be there
        def capture_envelope(self, envelope: Any) -> None:
            sent.append(envelope.serialize().decode("utf-8", "replace"))

    client = sentry.Client(
        dsn="https://key@127.0.0.1/1", transport=Keeper, include_local_variables=True, send_default_pii=True,
        max_value_length=LONG, default_integrations=False,
    )  # fmt: skip
    with sentry.isolation_scope() as scope:
        scope.set_client(client)
        sentry.capture_exception(error)
    return "".join(sent)


def with_loguru(error: BaseException) -> str:
    """What loguru writes with `diagnose=True`, as text and as JSON."""
    logger, text = library("loguru").logger, io.StringIO()
    numbers = [logger.add(text, diagnose=True, backtrace=False, serialize=serialize) for serialize in (False, True)]
    logger.opt(exception=(type(error), error, error.__traceback__)).error("failed: {}", error)
    for number in numbers:
        logger.remove(number)
    return text.getvalue()


def with_better_exceptions(error: BaseException) -> str:
    """What better-exceptions prints."""
    better = library("better_exceptions")
    better.MAX_LENGTH = None
    return "".join(better.format_exception(type(error), error, error.__traceback__))


def with_stackprinter(error: BaseException) -> str:
    """What stackprinter prints; it reads the attributes that a line of code names, too."""
    printer = library("stackprinter")
    return "".join(
        printer.format(error, show_vals=which, truncate_vals=LONG, source_lines="all")
        for which in ("all", "like_source")
    )


def with_ipython(error: BaseException) -> str:
    """What IPython prints after `%xmode Verbose`."""
    shown = library("IPython.core.ultratb").VerboseTB(**_without_colours())
    return str(shown.text(type(error), error, error.__traceback__))


def _without_colours() -> dict[str, str]:
    is_old = int(library("IPython").__version__.split(".")[0]) < 9
    return {"color_scheme": "NoColor"} if is_old else {"theme_name": "nocolor"}


def with_structlog(error: BaseException) -> str:
    """What structlog's `dict_tracebacks` writes with variables."""
    transform = library("structlog.tracebacks").ExceptionDictTransformer(
        show_locals=True, locals_max_length=LONG, locals_max_string=LONG, locals_hide_sunder=False
    )
    return json.dumps(transform((type(error), error, error.__traceback__)), default=repr)


def with_ddtrace(error: BaseException) -> str:
    """The tags of a span of Datadog's tracer."""
    span = library("ddtrace.trace").Span("call")
    span.set_exc_info(type(error), error, error.__traceback__)
    return repr(span.get_tags()) if hasattr(span, "get_tags") else repr(span._meta)  # noqa: SLF001  # of older releases


def with_rollbar(error: BaseException) -> str:
    """What Rollbar's client sends with variables."""
    rollbar = library("rollbar")
    sent: list[str] = []
    sizes = {"string": LONG, "obj_maxlevel": 10, "maxdict": 100, "maxlist": 100}
    rollbar.init(
        "token", "test", handler="blocking", suppress_reinit_warning=True, capture_ip=False, scrub_fields=[],
        locals={"enabled": True, "safe_repr": False, "scrub_varargs": False, "sizes": sizes},
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rollbar, "send_payload", lambda payload, _token: sent.append(json.dumps(payload, default=repr)))
        rollbar.report_exc_info((type(error), error, error.__traceback__))
    return "".join(sent)


def with_devtools(error: BaseException) -> str:
    """What devtools' `debug()` shows of an error and its frames."""
    return str(library("devtools").pformat([error, error.args, vars(error), frames_of(error)]))


def with_tblib(error: BaseException) -> str:
    """What tblib carries to another process with variables."""
    saved = library("tblib").Traceback(error.__traceback__, get_locals=lambda frame: dict(frame.f_locals))
    return repr(saved.to_dict())


def by_walking(error: BaseException) -> str:
    """All attributes of an error."""
    shown = [name for name in dir(error) if name != "__traceback__"]
    return repr([getattr(error, name, None) for name in shown])


def by_copying(error: BaseException) -> str:
    """What a copy and a pickle of an error hold."""
    try:
        return repr(vars(copy.copy(error))) + pickle.dumps(error).decode("latin-1")
    except TypeError:  # errors of other libraries whose constructors need more
        return ""


REPORTERS: dict[str, Callable[[BaseException], str]] = {
    "traceback": with_locals,
    "cgitb": with_cgitb,
    "pytest": with_pytest,
    "rich": with_rich,
    "logging": with_logging,
    "json-logger": with_json_logger,
    "opentelemetry": with_opentelemetry,
    "sentry": with_sentry,
    "loguru": with_loguru,
    "better-exceptions": with_better_exceptions,
    "stackprinter": with_stackprinter,
    "ipython": with_ipython,
    "structlog": with_structlog,
    "ddtrace": with_ddtrace,
    "rollbar": with_rollbar,
    "devtools": with_devtools,
    "tblib": with_tblib,
    "walk": by_walking,
    "copy": by_copying,
}
