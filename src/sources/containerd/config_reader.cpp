#include "sources/containerd/config_reader.hpp"

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

config_reader::config_reader() : calls_(most_hanging) {}

io::task<base::result<std::optional<std::string>>> config_reader::read(std::string directory) {
  if (calls_.left_behind(directory)) co_return base::fail(std::errc::timed_out, "the state directory still hangs");
  auto work = [directory] { return read_network_config(directory); };
  auto text =
      co_await calls_.run(std::move(work), calls_.left_behind() == 0 ? patience : patience_beside_hanging, directory);
  if (text || text.error().code != std::errc::timed_out) co_return text;
  base::log::warn("containerd", "a state directory does not answer directory={}", base::printable(directory, 200));
  co_return text;
}

}  // namespace containerd
