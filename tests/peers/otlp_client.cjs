// A program with the OpenTelemetry SDK for JavaScript and its exporters as they come: logs, spans, metrics.
//
// usage: otlp_client.cjs URL proto|json gzip|none ITEMS SECONDS SIZE DUMP   with tools/peers js-sdk in NODE_PATH
//
// ITEMS log records and spans over SECONDS, SIZE random characters in each record's body. For each export DUMP
// gets a line when it ends: the signal, "ok" or "failed", and the request as protobuf in base64.
const fs = require("fs");
const api = require("@opentelemetry/api");
const transformer = require("@opentelemetry/otlp-transformer");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { BatchLogRecordProcessor, LoggerProvider } = require("@opentelemetry/sdk-logs");
const { MeterProvider, PeriodicExportingMetricReader } = require("@opentelemetry/sdk-metrics");
const { BatchSpanProcessor, TracerProvider } = require("@opentelemetry/sdk-trace");

const [url, encoding, compression, itemsText, secondsText, sizeText, dumpFile] = process.argv.slice(2);
const items = Number(itemsText), seconds = Number(secondsText), size = Number(sizeText);
const dump = fs.openSync(dumpFile, "w");
const kind = encoding === "json" ? "http" : "proto";

api.diag.setLogger(new api.DiagConsoleLogger(), api.DiagLogLevel.INFO);

// The exporter, saying of each export how it ended.
function recorded(exporter, signal, serializer) {
  const send = exporter.export.bind(exporter);
  exporter.export = (batch, done) => {
    const text = Buffer.from(serializer.serializeRequest(batch)).toString("base64");
    send(batch, (result) => {
      fs.writeSync(dump, `${signal} ${result.code === 0 ? "ok" : "failed"} ${text}\n`);
      done(result);
    });
  };
  return exporter;
}

const { OTLPLogExporter } = require(`@opentelemetry/exporter-logs-otlp-${kind}`);
const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${kind}`);
const { OTLPMetricExporter } = require(`@opentelemetry/exporter-metrics-otlp-${kind}`);
const options = (signal) => ({ url: `${url}/v1/${signal}`, compression });
const resource = resourceFromAttributes({ "service.name": "js-sdk", "service.instance.id": "1", list: ["a", "b"] });

const loggers = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor({
  exporter: recorded(new OTLPLogExporter(options("logs")), "logs", transformer.ProtobufLogsSerializer),
  scheduledDelayMillis: 200 })] });
const tracers = new TracerProvider({ resource, spanProcessors: [new BatchSpanProcessor({
  exporter: recorded(new OTLPTraceExporter(options("traces")), "traces", transformer.ProtobufTraceSerializer),
  scheduledDelayMillis: 200 })] });
const meters = new MeterProvider({ resource, readers: [new PeriodicExportingMetricReader({
  exporter: recorded(new OTLPMetricExporter(options("metrics")), "metrics", transformer.ProtobufMetricsSerializer),
  exportIntervalMillis: 1000, exportTimeoutMillis: 1000 })] });

async function main() {
  const logger = loggers.getLogger("scope", "1.0");
  const tracer = tracers.getTracer("scope", "1.0");
  const meter = meters.getMeter("scope", "1.0");
  const counter = meter.createCounter("requests", { unit: "{request}", description: "so many" });
  const waiting = meter.createUpDownCounter("waiting");
  const duration = meter.createHistogram("duration", { unit: "s" });
  meter.createObservableGauge("temperature").addCallback((result) => {
    result.observe(20.5, { sensor: "a" });
    result.observe(-3, { sensor: "b" });
  });
  const digits = "0123456789abcdefghijklmnopqrstuv";
  const began = Date.now();
  let link;
  for (let number = 0; number < items; ++number) {
    const early = began + (1000 * seconds * number) / items - Date.now();
    if (early > 1) await new Promise((wake) => setTimeout(wake, early));
    const span = tracer.startSpan("work", { kind: api.SpanKind.SERVER,
      attributes: { number, share: number / 7, odd: number % 2 === 1 },
      links: link ? [{ context: link, attributes: { why: "before" } }] : [] });
    link = span.spanContext();
    span.addEvent("half", { at: [1, 2, 3] });
    if (number % 10 === 0) span.setStatus({ code: api.SpanStatusCode.ERROR, message: "ten" });
    const text = Array.from({ length: size }, () => digits[Math.floor(Math.random() * 32)]).join("");
    logger.emit({ timestamp: Date.now(), severityNumber: 9, severityText: "INFO",
      eventName: number % 3 === 0 ? "worked" : undefined, body: `number ${number} \u00e9\u{1f41a} ${text}`,
      context: api.trace.setSpan(api.ROOT_CONTEXT, span),
      attributes: { number, negative: -number, half: number / 2, odd: number % 2 === 1, text: "t".repeat(number % 20),
        bytes: Uint8Array.of(number % 256, 255), list: ["x", "y"], map: { in: { depth: number } } } });
    span.end();
    counter.add(1, { route: `/${number % 5}` });
    waiting.add(number % 2 ? 1 : -1);
    duration.record(number / items, { route: `/${number % 3}` });
  }
  for (const provider of [loggers, tracers, meters]) await provider.shutdown();
}

main();
