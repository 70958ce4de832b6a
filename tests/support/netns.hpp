// netns: a network namespace of a test's own, with lo up, visible to `ip netns` while it lives. Removed with all that
// is in it by the destructor; what a killed run left is removed when the next one makes its first.
#pragma once

#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <vector>

#include "base/unique_fd.hpp"

namespace support {

class netns {
 public:
  // Needs root; throws std::runtime_error where the kernel says no.
  explicit netns(std::string_view purpose);
  netns(const netns&) = delete;
  netns& operator=(const netns&) = delete;
  ~netns();

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string path() const { return "/run/netns/" + name_; }

  // `ip -n <name> <arguments>`; throws with ip's words if it fails.
  void ip(std::vector<std::string> arguments) const;

  // Calls `work` in a thread inside the namespace and hands on what it returns or throws. Sockets that it opens stay in
  // the namespace, wherever they are used later; /proc/thread-self/net is the namespace's.
  template <class Work>
  auto run(Work&& work) const -> std::invoke_result_t<Work> {
    using value = std::invoke_result_t<Work>;
    if constexpr (std::is_void_v<value>) {
      run_inside([&] { work(); });
    } else {
      value got{};
      run_inside([&] { got = work(); });
      return got;
    }
  }

 private:
  void run_inside(const std::function<void()>& work) const;
  std::string name_;
};

// Puts the calling thread into a namespace, and back.
class inside {
 public:
  explicit inside(const netns& where);
  inside(const inside&) = delete;
  inside& operator=(const inside&) = delete;
  ~inside();

 private:
  base::unique_fd before_;
};

struct veth_end {
  const netns* where;
  std::string interface;
  std::string cidr;  // "192.168.127.1/24"
};
// A pair of interfaces with addresses, both up. They go with either namespace.
void connect(const veth_end& a, const veth_end& b);

}  // namespace support
