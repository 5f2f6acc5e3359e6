#include "thread_pool.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>

namespace mistralet {
namespace {

// How long a worker looks for the next loop before it sleeps: longer than the pause between two operations of a model,
// too short to be noticed by anything else on the machine.
constexpr auto kSpin = std::chrono::microseconds(60);

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
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
    ++round_;
  }
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
  busy_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    round_.fetch_add(1, std::memory_order_release);
  }
  wake_.notify_all();
  take_pieces();
  while (busy_.load(std::memory_order_acquire) > 0) pause();
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
  uint64_t seen = 0;
  for (;;) {
    const auto until = std::chrono::steady_clock::now() + kSpin;
    while (round_.load(std::memory_order_acquire) == seen) {
      for (int i = 0; i < 32 && round_.load(std::memory_order_acquire) == seen; ++i) pause();
      if (std::chrono::steady_clock::now() > until) {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return round_.load(std::memory_order_acquire) != seen; });
      }
    }
    seen = round_.load(std::memory_order_acquire);
    if (stop_) return;
    take_pieces();
    busy_.fetch_sub(1, std::memory_order_release);
  }
}

}  // namespace mistralet
