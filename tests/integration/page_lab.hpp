// page_lab: end_to_end with an agent that serves the status page.
#pragma once

#include "tests/integration/end_to_end.hpp"

namespace integration {

inline const net::endpoint page_at{net::address::loopback_v4(), 9990};
inline constexpr auto page_url = "http://localhost:9990/";
inline const published_set page_port{"tcp 127.0.0.1:9990"};

class page_lab : public end_to_end {
 protected:
  void SetUp() override {
    end_to_end::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    start_agent_and_wait({"-status-page=127.0.0.1:9990"});
    expect_published(page_port);
  }
};

}  // namespace integration
