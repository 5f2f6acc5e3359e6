// Threads that share one loop at a time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace mistralet {

class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls `body(first, last)` over pieces of [0, count), at most `piece` long, on all threads; the caller takes part.
  // Pieces are handed out as threads come free, so a thread that others slow down, or that is not awake yet, holds
  // nobody up.
  void run(int64_t count, int64_t piece, const std::function<void(int64_t, int64_t)>& body);

 private:
  // The gate: the number of the loop, whether it is open to workers, and how many of them are inside.
  static constexpr uint64_t kInside = (1ull << 31) - 1;
  static constexpr uint64_t kOpen = 1ull << 31;
  static constexpr uint64_t kRound = 1ull << 32;

  void work();
  void wait_for_change(uint64_t round);
  bool enter();
  void take_pieces();
  bool is_forked() const;

  const long process_;  // in a forked child the workers are gone, and the caller does everything
  std::vector<std::thread> workers_;
  std::atomic<uint64_t> gate_{0};
  std::atomic<int64_t> next_{0};
  std::atomic<int> asleep_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  int64_t count_ = 0;
  int64_t piece_ = 1;
  const std::function<void(int64_t, int64_t)>* body_ = nullptr;
};

}  // namespace mistralet
