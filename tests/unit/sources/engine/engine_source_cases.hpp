// Tests that the source of every container engine passes, against the engine's fake. A test program instantiates them
// with an `Engine`, which controls its fake on the given socket:
//
//   Engine(executor, socket)      not started yet
//   start() stop()                the socket appears, or goes with every connection
//   run(id, port) end(id)         with the event
//   announce(id) forget(id)       the event of a start alone; a container goes without an event
//   pause(id)                     it runs, and is not running
//   set_silent(b) set_hanging(b)  events are lost; nothing is answered
//   subscribed()
//   make_source(executor, socket, second_list, deadline)
#pragma once

#include <gtest/gtest.h>

#include <fstream>

#include "ports/source.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/recording_feed.hpp"
#include "tests/support/temp_dir.hpp"

namespace engine {

using namespace std::chrono_literals;

template <class Engine>
class EngineSource : public testing::Test {
 protected:
  void TearDown() override {
    loop_.stop();
    source_.reset();
    engine_.stop();
    loop_.settle();
  }
  void start_source(std::chrono::milliseconds second_list = 1h, std::chrono::milliseconds deadline = 5s) {
    source_ = engine_.make_source(loop_.executor(), socket_, second_list, deadline);
    loop_.spawn(source_->run(feed_));
  }
  void start_both() {
    engine_.start();
    start_source();
    ASSERT_TRUE(loop_.run_until([this] { return feed_.last && engine_.subscribed(); }));
  }
  [[nodiscard]] bool publishes(const std::set<std::uint16_t>& ports) {
    return loop_.run_until([&] { return feed_.host_ports() == ports; });
  }
  [[nodiscard]] bool troubled() {
    return loop_.run_until([this] { return feed_.trouble.has_value(); });
  }

  support::event_loop loop_;
  support::temp_dir directory_;
  std::filesystem::path socket_ = directory_ / "engine.sock";
  Engine engine_{loop_.executor(), socket_};
  support::recording_feed feed_;
  std::unique_ptr<ports::source> source_;
};
TYPED_TEST_SUITE_P(EngineSource);

TYPED_TEST_P(EngineSource, ConnectsTheMomentTheEngineIsThere) {
  this->start_source();
  ASSERT_TRUE(this->troubled());
  EXPECT_EQ(this->feed_.trouble->code, std::errc::no_such_file_or_directory);
  EXPECT_FALSE(this->feed_.last) << "unknown is not an empty list";
  this->engine_.run("a", 8080);
  const auto before = async::clock::now();
  this->engine_.start();
  EXPECT_TRUE(this->publishes({8080}));
  EXPECT_LT(async::clock::now() - before, 2s);
}

TYPED_TEST_P(EngineSource, AnEngineThatGoesAndComesBackIsListedAnew) {
  this->engine_.run("a", 8080);
  this->start_both();
  this->engine_.stop();
  ASSERT_TRUE(this->troubled());
  EXPECT_TRUE(this->publishes({8080})) << "the last ports stay";
  this->engine_.forget("a");
  this->engine_.run("b", 8081);
  this->engine_.start();
  EXPECT_TRUE(this->publishes({8081}));
  EXPECT_EQ(this->feed_.last->epoch, 2U);
  EXPECT_FALSE(this->feed_.trouble);
}

TYPED_TEST_P(EngineSource, AnEngineThatAcceptsAndNeverAnswersIsDegradedAndTriedAgain) {
  this->engine_.set_hanging(true);
  this->engine_.run("a", 8080);
  this->engine_.start();
  this->start_source(1h, 50ms);
  ASSERT_TRUE(this->troubled());
  EXPECT_EQ(this->feed_.trouble->code, std::errc::timed_out);
  this->engine_.set_hanging(false);
  EXPECT_TRUE(this->publishes({8080}));
}

TYPED_TEST_P(EngineSource, AFileInThePlaceOfTheSocketIsTrouble) {
  std::ofstream(this->socket_) << "no socket";
  this->start_source();
  ASSERT_TRUE(this->troubled());
  std::filesystem::remove(this->socket_);
  this->engine_.run("a", 8080);
  this->engine_.start();
  EXPECT_TRUE(this->publishes({8080}));
}

TYPED_TEST_P(EngineSource, AContainerThatIsGoneBeforeItIsAskedAboutIsNothing) {
  this->start_both();
  this->engine_.announce("ghost");
  this->engine_.run("a", 8080);
  EXPECT_TRUE(this->publishes({8080}));
  EXPECT_FALSE(this->feed_.trouble);
  EXPECT_EQ(this->feed_.last->epoch, 1U);
}

TYPED_TEST_P(EngineSource, ALostEventIsHealedByTheNextList) {
  this->engine_.run("a", 8080);
  this->engine_.start();
  this->start_source(50ms);
  ASSERT_TRUE(this->publishes({8080}));
  this->engine_.set_silent(true);
  this->engine_.run("b", 8081);
  EXPECT_TRUE(this->publishes({8080, 8081}));
}

TYPED_TEST_P(EngineSource, APausedContainerKeepsItsPorts) {
  this->engine_.run("a", 8080);
  this->engine_.run("b", 8081);
  this->engine_.pause("a");
  this->start_both();
  EXPECT_TRUE(this->publishes({8080, 8081}));
}

TYPED_TEST_P(EngineSource, FiftyContainersAtOnce) {
  this->start_both();
  std::set<std::uint16_t> ports;
  for (std::uint16_t port = 9000; port < 9050; ++port) {
    this->engine_.run("c" + std::to_string(port), port);
    ports.insert(port);
  }
  EXPECT_TRUE(this->publishes(ports));
  for (const auto port : ports) this->engine_.end("c" + std::to_string(port));
  EXPECT_TRUE(this->publishes({}));
}

// The source outlives its tasks, whenever it is stopped.
TYPED_TEST_P(EngineSource, MayBeStoppedAtEveryTurnWhileTheEngineGoes) {
  this->engine_.run("a", 8080);
  for (int turns = 0; turns < 60; ++turns) {
    this->feed_ = {};
    this->engine_.start();
    this->start_source();
    ASSERT_TRUE(this->publishes({8080}));
    this->engine_.announce("a");
    this->engine_.stop();
    int left = turns;
    this->loop_.run_until([&left] { return left-- <= 0; }, 200ms);
    this->loop_.stop();
    this->source_.reset();
    this->loop_.settle();
  }
}

// The same while it connects, subscribes, lists and asks.
TYPED_TEST_P(EngineSource, MayBeStoppedAtEveryTurnWhileItStarts) {
  this->engine_.start();
  for (int turns = 0; turns < 60; ++turns) {
    this->start_source();
    this->engine_.run("a", 8080);
    int left = turns;
    this->loop_.run_until([&left] { return left-- <= 0; }, 200ms);
    this->loop_.stop();
    this->source_.reset();
    this->loop_.settle();
  }
}

REGISTER_TYPED_TEST_SUITE_P(EngineSource, ConnectsTheMomentTheEngineIsThere, AnEngineThatGoesAndComesBackIsListedAnew,
                            AnEngineThatAcceptsAndNeverAnswersIsDegradedAndTriedAgain,
                            AFileInThePlaceOfTheSocketIsTrouble, AContainerThatIsGoneBeforeItIsAskedAboutIsNothing,
                            ALostEventIsHealedByTheNextList, APausedContainerKeepsItsPorts, FiftyContainersAtOnce,
                            MayBeStoppedAtEveryTurnWhileTheEngineGoes, MayBeStoppedAtEveryTurnWhileItStarts);

}  // namespace engine
