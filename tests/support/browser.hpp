// browser: a headless Chromium in a network namespace, driven by the DevTools protocol over two pipes: one JSON message
// after the other, each with a zero byte behind it
// (https://chromedevtools.github.io/devtools-protocol/, --remote-debugging-pipe).
//
// It has one page. What the page logs as an error, and errors that it does not catch, are collected.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.hpp"
#include "json/json.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/netns.hpp"

namespace support {

class browser {
 public:
  // Why there is no browser; empty if there is.
  [[nodiscard]] static std::string missing();

  // `directory`: for its profile and its log. Throws std::runtime_error if it does not start.
  browser(const netns& where, std::filesystem::path directory);

  // Runs the script in each page before the page's own.
  void before_each_page(const std::string& script);
  // Opens the address and waits until it has loaded.
  void open(const std::string& url);
  // The value of a JavaScript expression, of its promise if it is one; throws if that throws. In the page's own
  // context, but not held back by its Content-Security-Policy.
  json::value evaluate(const std::string& expression);
  [[nodiscard]] std::string text(const std::string& expression);
  // Whether the expression becomes true in time.
  [[nodiscard]] bool becomes(const std::string& expression, std::chrono::milliseconds limit);
  // Presses and releases a key, such as "Tab".
  void press(const std::string& key);
  void click(const std::string& selector);
  // The window's size in pixels, and the preferred colours.
  void look(int width, int height, bool dark);
  // Writes the whole page as a PNG.
  void screenshot(const std::filesystem::path& file);

  [[nodiscard]] const std::vector<std::string>& errors() const { return errors_; }
  void forget_errors() { errors_.clear(); }

 private:
  json::object call(std::string_view method, json::object parameters, bool of_page = true);
  json::object receive();
  void note(const json::object& event);

  std::filesystem::path directory_;
  child_process program_;
  base::unique_fd to_, from_;
  std::string unread_;
  std::string session_;
  std::int64_t last_id_ = 0;
  std::size_t loads_ = 0;
  std::vector<std::string> errors_;
};

}  // namespace support
