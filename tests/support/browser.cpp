#include "tests/support/browser.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <stdexcept>
#include <utility>

#include "base/text.hpp"
#include "tests/support/eventually.hpp"

namespace support {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// Debian's file in /usr/bin is a script that stays between.
constexpr const char* program = "/usr/lib/chromium/chromium-headless-shell";
constexpr auto answer_limit = 20s;

base::unique_fd open_pipe(const fs::path& path) {
  base::unique_fd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));  // does not wait for the other end
  if (!fd) throw std::runtime_error("cannot open " + path.string());
  return fd;
}

const json::object& object_of(const json::object& from, std::string_view name) {
  const auto* member = from.if_contains(name);
  if (member == nullptr || !member->is_object()) throw std::runtime_error("no object " + std::string(name));
  return member->get_object();
}

std::string string_of(const json::object& from, std::string_view name) {
  const auto* member = from.if_contains(name);
  return member != nullptr && member->is_string() ? std::string(member->get_string()) : std::string();
}

std::string decode_base64(std::string_view text) {
  static constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned bits = 0, value = 0;
  for (const char c : text) {
    if (c == '=') break;
    value = (value << 6 | static_cast<unsigned>(digits.find(c))) & 0xffffff;
    if ((bits += 6) >= 8) bytes += static_cast<char>(value >> (bits -= 8) & 0xff);
  }
  return bytes;
}

}  // namespace

std::string browser::missing() { return fs::exists(program) ? "" : "chromium-headless-shell is not installed"; }

browser::browser(const netns& where, fs::path directory) : directory_(std::move(directory)) {
  fs::create_directories(directory_);
  for (const char* name : {"in", "out"})
    if (::mkfifo((directory_ / name).c_str(), 0600) != 0) throw std::runtime_error("cannot make a pipe");
  to_ = open_pipe(directory_ / "in");
  from_ = open_pipe(directory_ / "out");
  program_ = child_process(
      {.argv = {"sh", "-c", R"(cd "$1" && shift && exec "$@" 3<in 4>out)", "sh", directory_, program, "--no-sandbox",
                "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
                "--disable-extensions", "--user-data-dir=" + (directory_ / "profile").string(),
                "--remote-debugging-pipe", "about:blank"},
       .environment = {"HOME=" + directory_.string()},
       .log = directory_ / "browser.log",
       .net_namespace = where.path()});
  const auto targets = call("Target.getTargets", {}, false);
  for (const auto& one : targets.at("targetInfos").as_array()) {
    if (string_of(one.as_object(), "type") != "page") continue;
    const json::object target{{"targetId", one.as_object().at("targetId")}, {"flatten", true}};
    session_ = string_of(call("Target.attachToTarget", target, false), "sessionId");
  }
  if (session_.empty()) throw std::runtime_error("the browser has no page");
  for (const auto* domain : {"Page.enable", "Runtime.enable", "Log.enable"}) call(domain, {});
}

json::object browser::receive() {
  const auto deadline = clock::now() + answer_limit;
  auto end = unread_.find('\0');
  while (end == std::string::npos) {
    pollfd ready{from_.get(), POLLIN, 0};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock::now()).count();
    if (left <= 0 || ::poll(&ready, 1, static_cast<int>(left)) <= 0)
      throw std::runtime_error("the browser does not answer: " + read_text(directory_ / "browser.log"));
    std::array<char, 65536> buffer{};
    const auto got = ::read(from_.get(), buffer.data(), buffer.size());
    if (got <= 0) throw std::runtime_error("the browser is gone");
    unread_.append(buffer.data(), static_cast<std::size_t>(got));
    end = unread_.find('\0');
  }
  const auto message = json::parse(std::string_view(unread_).substr(0, end), {.bytes = 64 << 20, .depth = 200});
  unread_.erase(0, end + 1);
  if (!message || !message->is_object()) throw std::runtime_error("the browser sends no object");
  return message->get_object();
}

// Of the events, errors and loads count.
void browser::note(const json::object& event) {
  const auto method = string_of(event, "method");
  if (method == "Page.loadEventFired") ++loads_;
  if (method == "Runtime.exceptionThrown") errors_.push_back(json::serialize(object_of(event, "params")));
  if (method == "Runtime.consoleAPICalled" && string_of(object_of(event, "params"), "type") == "error")
    errors_.push_back(json::serialize(object_of(event, "params")));
  if (method == "Log.entryAdded" && string_of(object_of(object_of(event, "params"), "entry"), "level") == "error")
    errors_.push_back(json::serialize(object_of(event, "params")));
}

json::object browser::call(std::string_view method, json::object parameters, bool of_page) {
  json::object request{{"id", ++last_id_}, {"method", method}, {"params", std::move(parameters)}};
  if (of_page) request["sessionId"] = session_;
  auto bytes = json::serialize(request);
  bytes.push_back('\0');
  for (std::string_view left = bytes; !left.empty();) {
    const auto written = ::write(to_.get(), left.data(), left.size());
    if (written < 0) throw std::runtime_error("cannot write to the browser");
    left.remove_prefix(static_cast<std::size_t>(written));
  }
  while (true) {
    auto message = receive();
    const auto* id = message.if_contains("id");
    if (id == nullptr) {
      note(message);
    } else if (*id == last_id_) {
      if (message.contains("error")) throw std::runtime_error(fmt::format("{}: {}", method, json::serialize(message)));
      return object_of(message, "result");
    }
  }
}

void browser::before_each_page(const std::string& script) {
  call("Page.addScriptToEvaluateOnNewDocument", {{"source", script}});
}

void browser::open(const std::string& url) {
  const auto before = loads_;
  const auto answer = call("Page.navigate", {{"url", url}});
  if (answer.contains("errorText")) throw std::runtime_error(url + ": " + string_of(answer, "errorText"));
  while (loads_ == before) note(receive());
}

json::value browser::evaluate(const std::string& expression) {
  const auto answer = call("Runtime.evaluate", {{"expression", expression},
                                                {"awaitPromise", true},
                                                {"returnByValue", true},
                                                {"userGesture", true},
                                                {"allowUnsafeEvalBlockedByCSP", true}});
  if (answer.contains("exceptionDetails"))
    throw std::runtime_error(expression.substr(0, 200) + ": " + json::serialize(answer.at("exceptionDetails")));
  const auto* value = object_of(answer, "result").if_contains("value");
  return value == nullptr ? json::value() : *value;
}

std::string browser::text(const std::string& expression) {
  const auto value = evaluate(expression);
  return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
}

bool browser::becomes(const std::string& expression, std::chrono::milliseconds limit) {
  return eventually(limit, [&] { return evaluate("Boolean(" + expression + ")") == json::value(true); });
}

void browser::press(const std::string& key) {
  const int code = key == "Tab" ? 9 : key == "Enter" ? 13 : 0;
  for (const auto* type : {"rawKeyDown", "keyUp"})
    call("Input.dispatchKeyEvent", {{"type", type}, {"key", key}, {"code", key}, {"windowsVirtualKeyCode", code}});
}

void browser::click(const std::string& selector) {
  evaluate(fmt::format("document.querySelector({}).click()", json::serialize(json::value(selector))));
}

void browser::look(int width, int height, bool dark) {
  call("Emulation.setDeviceMetricsOverride",
       {{"width", width}, {"height", height}, {"deviceScaleFactor", 1}, {"mobile", false}});
  call("Emulation.setEmulatedMedia",
       {{"features", json::array{json::object{{"name", "prefers-color-scheme"}, {"value", dark ? "dark" : "light"}}}}});
}

void browser::screenshot(const fs::path& file) {
  const auto answer = call("Page.captureScreenshot", {{"format", "png"}, {"captureBeyondViewport", true}});
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << decode_base64(string_of(answer, "data"));
}

}  // namespace support
