// static_source: ports that the command line names. Publishes them once and never fails.
#pragma once

#include "async/condition.hpp"
#include "ports/source.hpp"

namespace static_ports {

class static_source final : public ports::source {
 public:
  static_source(const async::executor& where, ports::snapshot published);

  [[nodiscard]] ports::source_id id() const override { return ports::source_id::fixed; }
  async::task<> run(ports::source_feed& feed) override;

 private:
  ports::snapshot published_;
  async::condition never_;
};

}  // namespace static_ports
