#include "programs/network_setup/switch_process.hpp"

#include <fmt/format.h>

#include <expected>
#include <string>
#include <utility>
#include <vector>

#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/result.hpp"
#include "link/handshake/vm_side.hpp"
#include "link/link_control.hpp"
#include "os/child_program.hpp"

namespace network_setup {
namespace {

using namespace std::chrono_literals;

constexpr int link_number = 3, control_number = 4;
constexpr auto answer_limit = 1s;
constexpr auto between_looks = 10ms;

async::task<base::result<>> wait_for_answer(int control) {
  while (true) {
    const auto answered = links::take_answer(control);
    if (!answered) co_return std::unexpected(answered.error());
    if (*answered) co_return base::result<>{};
    co_await async::sleep_for(between_looks);
  }
}

}  // namespace

base::result<switch_process> switch_process::start(const async::executor& where, std::vector<std::string> argv,
                                                   int net_namespace, const handshake::data_connection& connection) {
  auto pair = links::make_control_pair();
  if (!pair) return std::unexpected(pair.error());
  argv.insert(argv.end(), {"-vsock-fd", std::to_string(link_number)});
  auto program = os::child_program::start(
      where, {.argv = std::move(argv),
              .environment = {fmt::format("{}={}", links::control_variable, control_number),
                              fmt::format("{}={:d}", links::offload_variable, connection.offers_offload)},
              .descriptors = {{connection.fd.get(), link_number}, {(*pair)[1].get(), control_number}},
              .net_namespace = net_namespace});
  if (!program) return std::unexpected(program.error());
  return switch_process(std::move(*program), std::move((*pair)[0]));
}

async::task<base::result<>> switch_process::hand_over(const handshake::data_connection& connection) {
  auto handed = links::hand_link(control_.get(), connection.fd.get(), connection.offers_offload);
  if (!handed) co_return handed;
  co_return co_await async::within(answer_limit, wait_for_answer(control_.get()));
}

}  // namespace network_setup
