// memory_sink: a peer that holds forwards in memory, and records the operations it receives.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "async/condition.hpp"
#include "ports/sink.hpp"

namespace support {

struct sink_memory {
  std::set<std::string> held;                   // "tcp 0.0.0.0:8080"
  std::vector<std::string> calls;               // "+tcp 0.0.0.0:8080", "-tcp 0.0.0.0:8080"
  bool hangs = false;                           // operations never end
  bool away = false;                            // it cannot be asked what it holds
  std::vector<std::string>* journal = nullptr;  // the order of additions over several peers: "host +tcp 0.0.0.0:8080"
  bool closed = false;
};

class memory_sink : public ports::sink {
 public:
  // `into` outlives the sink.
  memory_sink(const async::executor& where, std::string name, sink_memory& into)
      : name_(std::move(name)), into_(into), never_(where) {}
  std::string_view name() const override { return name_; }
  ports::sink_traits traits() const override { return {.workers = 1, .batch = 10}; }
  async::task<base::result<ports::peer_state>> list() override {
    if (into_.away) co_return base::fail(std::errc::connection_refused, "away");
    ports::peer_state now;
    for (const auto& key : keys_) now.held.push_back({.key = key});
    co_return now;
  }
  async::task<std::vector<ports::outcome>> apply(std::vector<ports::operation> batch) override {
    while (into_.hangs) co_await never_.wait();
    for (const auto& op : batch) {
      const auto key = to_string(op.target.key);
      const bool adds = op.what == ports::verb::add;
      into_.calls.push_back((adds ? "+" : "-") + key);
      if (into_.journal != nullptr) into_.journal->push_back(name_ + " " + into_.calls.back());
      if (adds)
        keys_.insert(op.target.key);
      else
        keys_.erase(op.target.key);
    }
    into_.held.clear();
    for (const auto& key : keys_) into_.held.insert(to_string(key));
    co_return std::vector<ports::outcome>(batch.size());
  }
  async::task<> changed() override { co_await never_.wait(); }
  async::task<> close() override {
    into_.closed = true;
    co_return;
  }

 private:
  std::string name_;
  sink_memory& into_;
  std::set<ports::port_key> keys_;
  async::condition never_;
};

}  // namespace support
