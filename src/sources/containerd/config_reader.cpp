#include "sources/containerd/config_reader.hpp"

#include <mutex>

#include "base/log.hpp"
#include "base/text.hpp"
#include "sources/containerd/network_config.hpp"

namespace containerd {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 1000ms;
constexpr auto patience_beside_hanging = 100ms;  // most often they are on one file system
constexpr unsigned most_hanging = 16;

}  // namespace

// The directories that threads are reading.
class config_reader::readings {
 public:
  void begin(const std::string& directory) {
    const std::lock_guard lock(mutex_);
    all_.insert(directory);
  }
  void end(const std::string& directory) {
    const std::lock_guard lock(mutex_);
    all_.erase(all_.find(directory));
  }
  [[nodiscard]] bool contains(const std::string& directory) const {
    const std::lock_guard lock(mutex_);
    return all_.contains(directory);
  }

 private:
  mutable std::mutex mutex_;
  std::multiset<std::string> all_;
};

config_reader::config_reader() : under_way_(std::make_shared<readings>()), calls_(most_hanging) {}

io::task<base::result<std::optional<std::string>>> config_reader::read(std::string directory) {
  std::erase_if(hanging_, [this](const auto& one) { return !under_way_->contains(one); });
  if (hanging_.contains(directory)) co_return base::fail(std::errc::timed_out, "the state directory still hangs");
  auto work = [directory, under_way = under_way_] {
    under_way->begin(directory);
    auto text = read_network_config(directory);
    under_way->end(directory);
    return text;
  };
  auto text = co_await calls_.run(std::move(work), hanging_.empty() ? patience : patience_beside_hanging);
  if (text || text.error().code != std::errc::timed_out) co_return text;
  hanging_.insert(directory);
  base::log::warn("containerd", "a state directory does not answer directory={}", base::printable(directory, 200));
  co_return text;
}

}  // namespace containerd
