#include "program/metrics_text.hpp"

#include <gmock/gmock.h>

namespace program {
namespace {

TEST(metrics_text, a_metric_has_help_type_and_samples) {
  metrics_text text;
  text.begin("agent_ports", metric_kind::gauge, "Ports.");
  text.add({}, 3);
  text.begin("agent_calls_total", metric_kind::counter, "Calls.");
  text.add({{"peer", "host-switch"}, {"outcome", "done"}}, 12'345'678'901);
  EXPECT_EQ(text.take(),
            "# HELP agent_ports Ports.\n# TYPE agent_ports gauge\nagent_ports 3\n"
            "# HELP agent_calls_total Calls.\n# TYPE agent_calls_total counter\n"
            "agent_calls_total{peer=\"host-switch\",outcome=\"done\"} 12345678901\n");
}

TEST(metrics_text, values_of_labels_and_help_are_escaped) {
  metrics_text text;
  text.begin("m", metric_kind::gauge, "a \"b\"\n\\c");
  text.add({{"name", "a \"b\"\n\\c"}}, .5);
  EXPECT_EQ(text.take(), "# HELP m a \"b\"\\n\\\\c\n# TYPE m gauge\nm{name=\"a \\\"b\\\"\\n\\\\c\"} 0.5\n");
}

TEST(metrics_text, the_buckets_of_a_histogram_add_up) {
  metrics_text text;
  text.begin("m_seconds", metric_kind::histogram, "Time.");
  const std::array bounds{.25, 1.};
  const std::array<std::uint64_t, 3> counts{2, 0, 1};
  text.add_histogram({{"peer", "p"}}, bounds, counts, 7.5);
  EXPECT_EQ(
      text.take(),
      "# HELP m_seconds Time.\n# TYPE m_seconds histogram\n"
      "m_seconds_bucket{peer=\"p\",le=\"0.25\"} 2\nm_seconds_bucket{peer=\"p\",le=\"1\"} 2\n"
      "m_seconds_bucket{peer=\"p\",le=\"+Inf\"} 3\nm_seconds_sum{peer=\"p\"} 7.5\nm_seconds_count{peer=\"p\"} 3\n");
}

}  // namespace
}  // namespace program
