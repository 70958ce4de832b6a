#include "sources/kubernetes/kubeconfig_watch.hpp"

#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "async/change_within.hpp"
#include "async/task.hpp"
#include "base/result.hpp"
#include "os/file_watch.hpp"
#include "sources/kubernetes/kubeconfig.hpp"

namespace kubernetes {

kubeconfig_watch::kubeconfig_watch(const async::executor& where, std::filesystem::path file)
    : where_(where), file_(std::move(file)), reader_(file_) {}

// A change before the watch was opened is caught by the second reading.
async::task<base::result<cluster_access>> kubeconfig_watch::read() {
  auto access = co_await reader_.read();
  const bool answers = access || access.error().code != std::errc::timed_out;
  if (!answers || watch_) co_return access;
  watch_.emplace(where_, file_);
  co_return co_await reader_.read();
}

async::task<> kubeconfig_watch::changed(std::chrono::milliseconds at_most) {
  return async::change_within(at_most, watch_);
}

}  // namespace kubernetes
