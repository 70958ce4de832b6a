// kubeconfig_watch: reads a kubeconfig and notices when it has to be read again. Owned by kubernetes_source.
//
// The kubeconfig's directories are watched once its file system has answered. Before that, and for the files that the
// kubeconfig names, the caller reads again from time to time.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>

#include "os/file_watch.hpp"
#include "sources/kubernetes/kubeconfig.hpp"

namespace kubernetes {

class kubeconfig_watch {
 public:
  kubeconfig_watch(const async::executor& where, std::filesystem::path file);

  // As kubeconfig_reader. After this, changed() misses no change of the kubeconfig itself if it is watched.
  async::task<base::result<cluster_access>> read();
  // Returns when the kubeconfig may have changed, after `at_most` in any case.
  async::task<> changed(std::chrono::milliseconds at_most);
  [[nodiscard]] bool watched() const { return watch_.has_value(); }

 private:
  async::executor where_;
  std::filesystem::path file_;
  kubeconfig_reader reader_;
  std::optional<os::file_watch> watch_;
};

}  // namespace kubernetes
