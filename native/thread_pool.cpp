#include "thread_pool.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>

namespace mistralet {
namespace {

// How long a worker looks for the next loop before it sleeps: longer than the pause between two tokens, since waking up
// can take longer than a whole loop; too short to be noticed by anything else on the machine.
constexpr auto kSpin = std::chrono::milliseconds(2);

void pause() {
#if defined(__x86_64__) || defined(_M_X64)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads) : process_(getpid()) {
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  gate_ += kRound;
  { std::lock_guard<std::mutex> lock(mutex_); }
  wake_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::run(int64_t count, int64_t piece, const std::function<void(int64_t, int64_t)>& body) {
  if (workers_.empty() || count <= piece || is_forked()) {
    if (count > 0) body(0, count);
    return;
  }
  count_ = count;
  piece_ = piece;
  body_ = &body;
  next_.store(0, std::memory_order_relaxed);
  // Nobody is inside: the last loop was closed and left by all. What was written above is seen by whoever enters.
  gate_.store((gate_.load() / kRound + 1) * kRound | kOpen);
  if (asleep_.load() > 0) {
    { std::lock_guard<std::mutex> lock(mutex_); }
    wake_.notify_all();
  }
  take_pieces();
  gate_.fetch_and(~kOpen);
  while (gate_.load(std::memory_order_acquire) & kInside) pause();
}

bool ThreadPool::is_forked() const { return getpid() != process_; }

void ThreadPool::take_pieces() {
  for (;;) {
    const int64_t first = next_.fetch_add(piece_, std::memory_order_relaxed);
    if (first >= count_) return;
    (*body_)(first, std::min(first + piece_, count_));
  }
}

void ThreadPool::work() {
  uint64_t round = 0;
  for (;;) {
    wait_for_change(round);
    round = gate_.load() / kRound;
    if (stop_) return;
    if (enter()) {
      take_pieces();
      gate_.fetch_sub(1, std::memory_order_release);
    }
  }
}

void ThreadPool::wait_for_change(uint64_t round) {
  const auto has_changed = [&] { return gate_.load() / kRound != round; };
  const auto until = std::chrono::steady_clock::now() + kSpin;
  while (!has_changed()) {
    for (int i = 0; i < 64 && !has_changed(); ++i) pause();
    if (std::chrono::steady_clock::now() > until) {
      std::unique_lock<std::mutex> lock(mutex_);
      ++asleep_;
      wake_.wait(lock, has_changed);
      --asleep_;
    }
  }
}

bool ThreadPool::enter() {
  uint64_t gate = gate_.load();
  while (gate & kOpen) {
    if (gate_.compare_exchange_weak(gate, gate + 1)) return true;
  }
  return false;
}

}  // namespace mistralet
