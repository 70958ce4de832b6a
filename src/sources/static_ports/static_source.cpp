#include "sources/static_ports/static_source.hpp"

#include <utility>

#include "async/task.hpp"
#include "ports/snapshot.hpp"
#include "ports/source.hpp"

namespace static_ports {

static_source::static_source(const async::executor& where, ports::snapshot published)
    : published_(std::move(published)), never_(where) {}

async::task<> static_source::run(ports::source_feed& feed) {
  feed.publish(id(), published_);
  while (true) co_await never_.wait();
}

}  // namespace static_ports
