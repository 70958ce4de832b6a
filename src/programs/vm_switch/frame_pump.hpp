// frame_pump: copies frames between the tap interface and the link, both ways. It is the data plane of vm-switch, on a
// thread of its own; its owner calls it from the control thread.
//
// Theory of operation. From the tap it takes up to 64 frames a turn, packed one after the other in one buffer, and
// sends them to the link with one write. From the link it reads up to a megabyte at once, and writes each frame to the
// tap. With offload both directions pass the virtio-net header on unchanged.
//
// While the link accepts no more, the tap is not read; the kernel then queues frames, and drops them when the tap's
// queue is full. Without a link the tap is not read at all. When a link arrives, the queued frames are discarded: they
// are outdated.
//
//   no link  ── attach() ──▶  flowing  ── the link takes no more ──▶  blocked ── writable ──▶ flowing
//      ◀──────────────────────── an error of the link, reported once ───────────┘
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "link/stream_link.hpp"
#include "link/tap_device.hpp"
#include "os/event_loop.hpp"

namespace vm_switch {

struct pump_counters {
  links::link_counters link{};    // sum over all links so far
  std::uint64_t refused = 0;      // frames that the kernel did not accept from us
  std::uint64_t not_plain = 0;    // frames of the tap that a link without offload cannot carry
  std::uint64_t out_of_date = 0;  // frames that waited while there was no link
};

class frame_pump final : public os::event_handler {
 public:
  // `lost` is called on the pump's thread with the reason when the link has ended; `tap_failed` when the tap has.
  using report = std::function<void(std::string reason)>;
  frame_pump(links::tap_device tap, report lost, report tap_failed);
  frame_pump(const frame_pump&) = delete;
  frame_pump& operator=(const frame_pump&) = delete;
  ~frame_pump() override;

  // Uses this link from now on, and closes the previous one. `asks_offload`: asks the other end for offload.
  void attach(base::unique_fd link, bool asks_offload);
  // While on, logs a line for each frame.
  void trace(bool on) { tracing_ = on; }
  [[nodiscard]] pump_counters counters();
  [[nodiscard]] bool has_link();

  void on_event(unsigned which, std::uint32_t events) override;

 private:
  enum which : unsigned { tap_side = 0, link_side = 1 };

  void from_tap();
  void from_link();
  base::result<std::size_t> read_tap();
  base::result<> send(links::bytes_span with_header);
  void settle(const base::result<>& outcome);
  void set_interest();
  void drop_link();
  void fail_tap(const base::error& why);
  void throw_away_what_waited();

  links::tap_device tap_;
  report lost_, tap_failed_;
  std::atomic<bool> tracing_ = false;
  std::unique_ptr<links::stream_link> link_;  // null: there is none
  bool tap_watched_ = false, tap_dead_ = false, wants_write_ = false, offload_ = false;
  std::unique_ptr<std::uint8_t[]> buffer_;
  pump_counters counters_;
  os::event_loop loop_;  // the last member: its thread ends first
};

}  // namespace vm_switch
