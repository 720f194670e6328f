"""A program with the OpenTelemetry SDK for Python and its exporters as they come: logs, spans and metrics.

usage: otlp_client.py URL proto gzip|none ITEMS SECONDS SIZE DUMP    with tools/peers python-sdk in PYTHONPATH

ITEMS log records and spans over SECONDS, SIZE random characters in each record's body. For each export DUMP
gets a line when it ends: the signal, "ok" or "failed", and the request as protobuf in base64.
"""

import base64
import logging
import random
import sys
import threading
import time

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Observation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


DIGITS = "0123456789abcdefghijklmnopqrstuv"


def recorded(exporter, signal, encode, dump):
    """The exporter, saying of each export how it ended."""
    export, lock = exporter.export, dump[1]

    def and_say(batch, *arguments, **options):
        text = base64.b64encode(encode(batch).SerializeToString()).decode()
        result = export(batch, *arguments, **options)
        with lock:
            print(signal, "ok" if result.name == "SUCCESS" else "failed", text, file=dump[0], flush=True)
        return result
    exporter.export = and_say
    return exporter


def main():
    url, _, compression, items, seconds, size, dump = sys.argv[1:]
    items, seconds, size = int(items), float(seconds), int(size)
    logging.basicConfig(level=logging.WARNING)
    dump = open(dump, "w", encoding="ascii"), threading.Lock()
    options = {"compression": Compression.Gzip if compression == "gzip" else Compression.NoCompression}
    resource = Resource.create({"service.name": "python-sdk", "service.instance.id": "1", "list": ["a", "b"]})

    loggers = LoggerProvider(resource=resource)
    loggers.add_log_record_processor(BatchLogRecordProcessor(
        recorded(OTLPLogExporter(f"{url}/v1/logs", **options), "logs", encode_logs, dump),
        schedule_delay_millis=200))
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(BatchSpanProcessor(
        recorded(OTLPSpanExporter(f"{url}/v1/traces", **options), "traces", encode_spans, dump),
        schedule_delay_millis=200))
    meters = MeterProvider(resource=resource, metric_readers=[PeriodicExportingMetricReader(
        recorded(OTLPMetricExporter(f"{url}/v1/metrics", **options), "metrics", encode_metrics, dump),
        export_interval_millis=500)])

    logger = loggers.get_logger("scope", "1.0")
    tracer = tracers.get_tracer("scope", "1.0")
    meter = meters.get_meter("scope", "1.0")
    counter = meter.create_counter("requests", unit="{request}", description="so many")
    waiting = meter.create_up_down_counter("waiting")
    duration = meter.create_histogram("duration", unit="s")
    meter.create_observable_gauge("temperature", [
        lambda _: [Observation(20.5, {"sensor": "a"}), Observation(-3, {"sensor": "b"})]])
    source = random.Random(items)
    began, link = time.monotonic(), None
    for number in range(items):
        time.sleep(max(began + seconds * number / items - time.monotonic(), 0))
        with tracer.start_as_current_span(
                "work", kind=trace.SpanKind.SERVER,
                attributes={"number": number, "share": number / 7, "odd": number % 2 == 1},
                links=[trace.Link(link, {"why": "before"})] if link else None) as span:
            link = span.get_span_context()
            span.add_event("half", {"at": [1, 2, 3]})
            if number % 10 == 0:
                span.set_status(trace.StatusCode.ERROR, "ten")
            logger.emit(LogRecord(
                timestamp=time.time_ns(), observed_timestamp=time.time_ns(),
                context=trace.set_span_in_context(span),
                severity_number=SeverityNumber.INFO, severity_text="INFO",
                event_name="worked" if number % 3 == 0 else None,
                body=f"number {number} \u00e9\U0001f41a " + "".join(source.choices(DIGITS, k=size)),
                attributes={"number": number, "negative": -number, "half": number / 2, "odd": number % 2 == 1,
                            "text": "t" * (number % 20), "bytes": bytes([number % 256, 255]), "list": ["x", "y"], "map": {"in": {"depth": number}}}))
        counter.add(1, {"route": f"/{number % 5}"})
        waiting.add(1 if number % 2 else -1)
        duration.record(number / items, {"route": f"/{number % 3}"})
    for provider in loggers, tracers, meters:
        provider.shutdown()


main()
