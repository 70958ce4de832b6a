#include "sources/containerd/config_reader.hpp"

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "async/task.hpp"
#include "base/episode.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "sources/containerd/network_config.hpp"

namespace containerd {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 1000ms;
constexpr auto patience_beside_hanging = 100ms;  // usually they are on one file system
constexpr unsigned most_hanging = 16;            // of each of the two kinds

}  // namespace

bool is_usual_directory(const std::string& directory) {
  const std::filesystem::path path(directory);
  if (path.lexically_normal() != path) return false;
  for (const std::string_view place : {"/var/lib/nerdctl/", "/run/nerdctl/"})
    if (directory.starts_with(place)) return true;
  return false;
}

config_reader::config_reader() : usual_(most_hanging), others_(most_hanging) {}

std::size_t config_reader::hanging_of(const std::string& name_space) {
  for (auto& [of, directories] : hanging_)
    std::erase_if(directories, [this](const auto& directory) { return !others_.left_behind(directory); });
  std::erase_if(hanging_, [](const auto& of) { return of.second.empty(); });
  const auto at = hanging_.find(name_space);
  return at == hanging_.end() ? 0 : at->second.size();
}

async::task<base::result<std::optional<std::string>>> config_reader::call(async::blocking_calls& calls,
                                                                          std::string directory) {
  if (calls.left_behind(directory)) co_return base::fail(std::errc::timed_out, "the state directory still hangs");
  auto work = [directory] { return read_network_config(directory); };
  auto text =
      co_await calls.run(std::move(work), calls.left_behind() == 0 ? patience : patience_beside_hanging, directory);
  if (!text && text.error().code == std::errc::timed_out)
    base::log::throttled(lines_, base::log::level::warn, "containerd", "a state directory does not answer directory={}",
                         base::printable(directory, 200));
  co_return text;
}

async::task<base::result<std::optional<std::string>>> config_reader::read(std::string directory,
                                                                          std::string name_space) {
  if (is_usual_directory(directory)) co_return co_await call(usual_, std::move(directory));
  if (!others_.left_behind(directory) && hanging_of(name_space) >= most_hanging_of_a_namespace)
    co_return base::fail(std::errc::timed_out, "too many state directories of the namespace hang");
  auto text = co_await call(others_, directory);
  if (others_.left_behind(directory)) hanging_[name_space].insert(std::move(directory));
  co_return text;
}

}  // namespace containerd
