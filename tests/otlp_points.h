// Reads the metrics of a request back, for tests that look at what was sent.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <span>
#include <string>
#include <vector>

#include "batch/gzip.h"
#include "otlp/otlp.pb.h"
#include "otlp/validate.h"
#include "otlp/wire_reader.h"

namespace limpet {

struct SeenPoint {
  std::string metric;
  std::map<std::string, std::string> attributes, resource;
  int64_t time = 0, start = 0;
  double value = 0;
};

/// The memory is kept: to take and clear a megabyte for each request took half of a simulation's time.
inline std::vector<uint8_t> Inflate(std::span<const uint8_t> stored) {
  static std::vector<std::byte> memory(GzipDecompressor::BytesNeeded());
  static std::vector<uint8_t> raw(1 << 20);
  GzipDecompressor inflate(memory);
  const Result<size_t> size = inflate.Decompress(stored, raw);
  EXPECT_TRUE(size.ok());
  return {raw.begin(), raw.begin() + static_cast<ptrdiff_t>(size.ok() ? size.value() : 0)};
}

inline void ReadPair(WireReader pair, std::map<std::string, std::string>& attributes) {
  std::string key, value;
  while (pair.Next()) {
    if (pair.field() == otlp_KeyValue_key_tag) key = pair.String();
    if (pair.field() != otlp_KeyValue_value_tag) continue;
    for (WireReader any = pair.Message(); any.Next();) {
      if (any.field() == otlp_AnyValue_string_value_tag) value = any.String();
      if (any.field() == otlp_AnyValue_int_value_tag) value = std::to_string(any.Varint());
    }
  }
  EXPECT_TRUE(attributes.emplace(key, value).second) << key << " is there twice";
}

inline SeenPoint ReadPoint(WireReader in, std::string_view metric) {
  SeenPoint point;
  point.metric = metric;
  while (in.Next()) {
    switch (in.field()) {
      case otlp_NumberDataPoint_start_time_unix_nano_tag:
        point.start = static_cast<int64_t>(in.Fixed64());
        break;
      case otlp_NumberDataPoint_time_unix_nano_tag:
        point.time = static_cast<int64_t>(in.Fixed64());
        break;
      case otlp_NumberDataPoint_as_double_tag: point.value = in.Double(); break;
      case otlp_NumberDataPoint_as_int_tag:
        point.value = static_cast<double>(static_cast<int64_t>(in.Fixed64()));
        break;
      case otlp_NumberDataPoint_attributes_tag: ReadPair(in.Message(), point.attributes); break;
      default: break;
    }
  }
  EXPECT_TRUE(in.status().ok());
  return point;
}

/// Every number point of an ExportMetricsServiceRequest (histograms count as points without value).
inline std::vector<SeenPoint> ReadPoints(std::span<const uint8_t> request) {
  EXPECT_TRUE(ValidateExportRequest(Signal::kMetrics, request).ok());
  std::vector<SeenPoint> points;
  for (WireReader message(request); message.Next();) {
    std::map<std::string, std::string> of_resource;
    for (WireReader resource = message.Message(); resource.Next();) {
      if (resource.field() == otlp_ResourceMetrics_resource_tag) {
        for (WireReader in = resource.Message(); in.Next();) {
          if (in.field() == otlp_Resource_attributes_tag) ReadPair(in.Message(), of_resource);
        }
      }
      if (resource.field() != otlp_ResourceMetrics_scope_metrics_tag) continue;
      for (WireReader scope = resource.Message(); scope.Next();) {
        if (scope.field() != otlp_ScopeMetrics_metrics_tag) continue;
        std::string name;
        for (WireReader metric = scope.Message(); metric.Next();) {
          if (metric.field() == otlp_Metric_name_tag) name = metric.String();
          if (metric.field() == otlp_Metric_histogram_tag) {
            for (WireReader data = metric.Message(); data.Next();) {
              if (data.field() == otlp_Histogram_data_points_tag) points.push_back({.metric = name});
            }
          }
          if (metric.field() != otlp_Metric_gauge_tag && metric.field() != otlp_Metric_sum_tag) {
            continue;
          }
          for (WireReader data = metric.Message(); data.Next();) {
            if (data.field() == otlp_Sum_data_points_tag) {
              points.push_back(ReadPoint(data.Message(), name));
              points.back().resource = of_resource;
            }
          }
        }
      }
    }
  }
  return points;
}

}  // namespace limpet
