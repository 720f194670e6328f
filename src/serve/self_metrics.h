// limpet's own metrics: the one list of them, for the Prometheus page and for the own pipeline.
#pragma once

#include "otlp/metric_sink.h"
#include "serve/snapshot.h"

namespace limpet {

/// Emits every metric of spec.md section 7 that is built, under its OTLP name: dots, no `_total`,
/// no unit suffix (semconv.md section 10). A signal of which nothing was collected yet shows that
/// zero and nothing else.
void EmitSelfMetrics(const Snapshot& snapshot, MetricSink& sink);

}  // namespace limpet
